"""The reader of SQL files: what is a variable, where a statement ends, which line is meant."""

from pathlib import Path

import pytest

from etl.errors import FileError
from etl.folders import sql_folder
from etl.sqlfile import Statement, read_text, shipped, single, statements

HERE = Path("some.sql")
SHIPPED = sorted(sql_folder().rglob("*.sql"))


def one(text: str) -> Statement:
    (statement,) = statements(HERE, text)
    return statement


def many(text: str) -> list[str]:
    """The source of each statement of a text."""
    return [statement.source for statement in statements(HERE, text)]


@pytest.mark.parametrize(
    ("text", "sent", "names"),
    [
        ("SELECT :a", "SELECT $1", ("a",)),
        ("SELECT :'a'", "SELECT $1", ("a",)),
        ("SELECT :b, :a", "SELECT $1, $2", ("b", "a")),
        ("SELECT :a, :b, :'a'", "SELECT $1, $2, $1", ("a", "b")),
        ("SELECT :a::int, x::text", "SELECT $1::int, x::text", ("a",)),
        ("SELECT CAST(:'a' AS date)", "SELECT CAST($1 AS date)", ("a",)),
        ("CALL p(x := :a)", "CALL p(x := $1)", ("a",)),
        ("CALL p(x :=a)", "CALL p(x :=a)", ()),
        ("SELECT x[1:2], x[: n]", "SELECT x[1:2], x[: n]", ()),
        ("SELECT ':a', ':''b'", "SELECT ':a', ':''b'", ()),
        ('SELECT ":a", "x"":b"', 'SELECT ":a", "x"":b"', ()),
        (r"SELECT E'\':a', :b", r"SELECT E'\':a', $1", ("b",)),
        (r"SELECT e'\\', :b", r"SELECT e'\\', $1", ("b",)),
        (r"SELECT '\', :b", r"SELECT '\', $1", ("b",)),
        ("SELECT E'it''s :a', :b", "SELECT E'it''s :a', $1", ("b",)),
        ("SELECT $$ :a; $$, :b", "SELECT $$ :a; $$, $1", ("b",)),
        ("SELECT $x$ :a $$ $y$ ; $x$, :b", "SELECT $x$ :a $$ $y$ ; $x$, $1", ("b",)),
        ("SELECT a$b$, :c, a$b$", "SELECT a$b$, $1, a$b$", ("c",)),
        ("SELECT 1 -- :a ' ; $$\n, :b", "SELECT 1 -- :a ' ; $$\n, $1", ("b",)),
        ("SELECT /* :a /* ' */ ; :c */ :b", "SELECT /* :a /* ' */ ; :c */ $1", ("b",)),
        ("SELECT 'a\n:b' || :c", "SELECT 'a\n:b' || $1", ("c",)),
    ],
)
def test_variables_become_parameters_and_nothing_else_does(
    text: str, sent: str, names: tuple[str, ...]
) -> None:
    statement = one(text)
    assert (statement.text.decode(), statement.names) == (sent, names)
    assert statement.source == text


def test_bind_gives_the_values_in_the_order_of_the_parameters() -> None:
    assert one("SELECT :b, :a, :b").bind({"a": 1, "b": None, "c": 3}) == [None, 1]


def test_an_unknown_variable_names_its_line_and_the_known_ones() -> None:
    statement = one("\n-- what\nSELECT\n  :typo")
    with pytest.raises(FileError) as raised:
        statement.bind({"b": 1, "a": 2})
    assert raised.value.message == "some.sql:4: unknown variable :typo"
    assert raised.value.hint.startswith("Known here: :a, :b.")


def test_a_pasted_name_is_refused_with_its_line() -> None:
    with pytest.raises(FileError, match=r'^some\.sql:3: :"table" would paste a name'):
        statements(HERE, 'SELECT 1;\nSELECT *\nFROM :"table"')


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("SELECT 1;\nSELECT 'a\n\n", 2),
        ('\nSELECT "a', 2),
        ("\n\nSELECT $x$ a $y$ $$", 3),
        ("SELECT 1\n/* a /* b */", 2),
        ("\nSELECT E'a\\'; SELECT 1", 2),
    ],
    ids=["string", "name", "dollar quote", "nested comment", "escape string"],
)
def test_what_is_never_closed_is_an_error_with_its_line(text: str, line: int) -> None:
    with pytest.raises(FileError, match=rf"^some\.sql:{line}: .* is never closed$"):
        statements(HERE, text)


def test_semicolons_split_only_where_they_end_a_statement() -> None:
    text = "SELECT ';';\nSELECT $$;$$; -- ;\nSELECT /* ; */ 3;;\n;"
    assert many(text) == ["SELECT ';'", "SELECT $$;$$", "SELECT /* ; */ 3"]


def test_text_without_a_statement_yields_none() -> None:
    assert many("-- nothing\n/* here */ ; \n") == []


@pytest.mark.parametrize("kind", ["FUNCTION", "OR REPLACE FUNCTION", "PROCEDURE"])
def test_a_standard_body_is_one_statement_up_to_its_end(kind: str) -> None:
    routine = (
        f"CREATE {kind} f(a int)\nBEGIN ATOMIC\n"
        "  SELECT CASE WHEN a > 1 THEN 2 END;\n  SELECT 2;\nEND"
    )
    assert many(f"{routine};\nSELECT 1;") == [routine, "SELECT 1"]


def test_begin_outside_of_a_routine_ends_at_its_semicolon() -> None:
    assert many("BEGIN; SELECT 1; END;") == ["BEGIN", "SELECT 1", "END"]


def test_semicolons_in_parentheses_end_no_statement() -> None:
    """As in psql: the commands of a rule stand in parentheses."""
    rule = "CREATE RULE r AS ON INSERT TO t DO ALSO (DELETE FROM a; DELETE FROM b)"
    assert many(f"{rule}; SELECT 1") == [rule, "SELECT 1"]


def test_each_statement_knows_the_line_it_begins_on() -> None:
    text = "-- header\nSELECT 1; SELECT\n2;\n\n/* a\nb */ SELECT 3"
    assert [statement.line for statement in statements(HERE, text)] == [2, 2, 6]


def test_line_of_is_the_line_on_which_the_variable_stands_first() -> None:
    statement = one("-- :b\nSELECT\n  :aa,\n  :a,\n  :'b'\n, :a")
    assert [statement.line_of(name) for name in ("aa", "a", "b")] == [3, 4, 5]


@pytest.mark.parametrize("decoy", ["':a'", "-- :a", "/* :a */", "x::a", "$$ :a $$"])
def test_line_of_is_not_misled_by_what_is_no_variable(decoy: str) -> None:
    assert one(f"SELECT 1, {decoy}\n+\n:a").line_of("a") == 3


def test_line_at_counts_characters_and_not_bytes() -> None:
    statement = one("\nSELECT 'é€',\n:a,\nx")
    sent = statement.text.decode()
    assert [statement.line_at(sent.index(part) + 1) for part in ("SELECT", "$1", "x")] == [2, 3, 4]


def test_single_wants_exactly_one_statement(tmp_path: Path) -> None:
    path = tmp_path / "a.sql"
    path.write_text("SELECT 1;\n\nSELECT 2;\nSELECT 3;\n")
    with pytest.raises(FileError, match=r"a\.sql:3: a second statement begins here"):
        single(path)
    path.write_text("-- nothing\n")
    with pytest.raises(FileError, match=r"a\.sql: holds no statement"):
        single(path)
    path.write_text("-- one\nSELECT :a;\n-- the end\n")
    assert single(path).text == b"SELECT $1"


def test_a_file_that_is_not_utf8_is_an_error_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "latin.sql"
    path.write_bytes(b"-- one\r\n-- \xc3\xa9\r\nSELECT 'caf\xe9'\n")
    with pytest.raises(FileError, match=r"latin\.sql:3: not UTF-8"):
        statements(path)


def test_a_missing_file_is_an_error_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"gone\.sql: No such file or directory"):
        single(tmp_path / "gone.sql")


def test_lines_that_end_in_crlf_read_as_lines(tmp_path: Path) -> None:
    path = tmp_path / "dos.sql"
    path.write_bytes(b"-- :no\r\nSELECT\r\n:a;\r\n")
    assert read_text(path) == "-- :no\nSELECT\n:a;\n"
    assert (single(path).line, single(path).line_of("a")) == (2, 3)


def test_a_byte_order_mark_is_no_part_of_the_statement(tmp_path: Path) -> None:
    """As in psql, which skips it at the beginning of a file."""
    path = tmp_path / "windows.sql"
    path.write_bytes(b"\xef\xbb\xbfSELECT 1;\n")
    assert single(path).text == b"SELECT 1"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(sql_folder())))
def test_a_shipped_file_parses_and_says_what_a_dba_asks(path: Path) -> None:
    found = statements(path)
    assert found
    header = path.read_text(encoding="utf-8").splitlines()[: found[0].line - 1]
    assert header[0].startswith("-- ")
    for word in ("Parameters:", "Cost:", "Locks:"):
        assert any(line.startswith(f"-- {word}") for line in header), word


def test_shipped_finds_the_files_of_this_package() -> None:
    assert sql_folder() / "jobs" / "datamart_users" / "process.sql" in SHIPPED
    assert shipped("ledger/open_cycle").names
