"""The reader of SQL files, given statements made of random pieces."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from etl.sqlfile import statements

HERE = Path("random.sql")
WORDS = ("SELECT", "x", "+", "(1)", "(x)", "1", ",", "::text", " := y", "BEGIN", "END", "é", "[1]")
NAMES = st.sampled_from(["a", "b", "cycle_id", "x9"])
# What must stay what it is inside any quote or comment.
BAIT = st.lists(
    st.sampled_from(
        [":a", ":'b'", ':"c"', ";", "''", '""', "\n", "$z$ ", "--", " ", "é", "::", "x"]
    )
).map("".join)


def _nested(inner: str) -> str:
    return f"/* {inner} /* ' ; :a */ {inner} */"


QUOTED = st.one_of(
    BAIT.map(lambda bait: "'" + bait.replace("'", "''") + "'"),
    BAIT.map(lambda bait: "E'" + bait.replace("'", "\\'") + "\\\\'"),
    BAIT.map(lambda bait: '"' + bait.replace('"', '""') + '"'),
    BAIT.map(lambda bait: f"$${bait}$$"),
    BAIT.map(lambda bait: f"$q${bait} $$ $q$"),
    BAIT.map(lambda bait: f"-- {bait}".replace("\n", " ") + "\n"),
    BAIT.map(_nested),
)
VARIABLES = NAMES.flatmap(lambda name: st.sampled_from([f":{name}", f":'{name}'"]))
Piece = tuple[str, bool]
PIECES: st.SearchStrategy[list[Piece]] = st.lists(
    st.one_of(
        st.tuples(st.one_of(QUOTED, st.sampled_from(WORDS)), st.just(False)),
        st.tuples(VARIABLES, st.just(True)),
    ),
    max_size=12,
)
FEW = settings(max_examples=200, deadline=None)


def _expected(pieces: list[Piece]) -> tuple[str, tuple[str, ...]]:
    """The text to send and its names, made without any reading."""
    names: list[str] = []
    parts = ["SELECT"]
    for piece, is_variable in pieces:
        if is_variable:
            name = piece.strip(":'")
            names += [] if name in names else [name]
            parts.append(f"${names.index(name) + 1}")
        else:
            parts.append(piece)
    return " ".join(parts).rstrip(), tuple(names)


@FEW
@given(PIECES)
def test_a_variable_is_only_what_stands_outside_of_quotes_and_comments(pieces: list[Piece]) -> None:
    text = " ".join(["SELECT", *(piece for piece, _ in pieces)])
    (statement,) = statements(HERE, text)
    assert (statement.text.decode(), statement.names) == _expected(pieces)


@FEW
@given(st.lists(PIECES, max_size=5))
def test_a_file_has_as_many_statements_as_were_put_into_it(drafts: list[list[Piece]]) -> None:
    texts = [" ".join(["SELECT", *(piece for piece, _ in pieces)]) for pieces in drafts]
    text = "".join(f"{statement}\n;\n" for statement in texts)
    found = statements(HERE, text)
    assert [statement.source for statement in found] == [one.rstrip() for one in texts]
    lines = text.split("\n")
    assert all(lines[statement.line - 1].startswith("SELECT") for statement in found)
