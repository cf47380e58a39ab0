"""`etl explain`: what is read is told as it is, and what is suggested helps."""

from collections.abc import Callable
from typing import Any

import pytest
from pytest_postgresql import factories

from etl.db import Connection
from tests.conftest import Address, Etl, runner
from tests.integration.explain_warehouse import DIRTY, NOTES, USER, load_warehouse
from tests.shapes import shaped
from tests.support import DAY, contents

AS_OF = f"--as-of={DAY}"
Explain = Callable[..., dict[str, Any]]

schema_server = factories.postgresql_noproc(
    depends_on="server_address", dbname="etl_explain", load=[load_warehouse]
)
"""In place of the empty one: a copy of it is the database of each test here."""


@pytest.fixture
def explain(etl: Etl, dsn: str, server_address: Address) -> Explain:
    """Explains the job as a superuser, whose sessions may look into procedures."""

    def run(*arguments: str, options: str = "", status: int = 0) -> dict[str, Any]:
        superuser = f"{dsn} user={server_address.user} options='{options}'"
        ran = etl("explain", "datamart-users", "--json", AS_OF, "--dsn", superuser, *arguments)
        assert ran.status == status, ran.err
        return dict(shaped("explain", ran.out))

    return run


def rows_read(found: dict[str, Any], subject: str) -> dict[str, int]:
    """Rows read by each way into a table, of all queries of a subject."""
    return {
        f"{read['table']} {read['how']}": read["rows"]
        for query in found["queries"]
        if query["subject"] == subject
        for read in query["reads"]
    }


def test_as_shipped_there_is_nothing_to_find_and_nothing_is_changed(
    explain: Explain, connection: Connection
) -> None:
    before = contents(connection)
    found = explain()
    assert contents(connection) == before
    assert found["findings"] == []
    # Nobody was active lately, all equally often.
    ((first,),) = connection.execute(
        "SELECT dimension_user_id FROM dwh.dimension_users WHERE modified"
        " ORDER BY total_actions DESC, last_action_at DESC, dimension_user_id LIMIT 1"
    ).fetchall()
    assert (found["item_key"], found["item_chosen"]) == (str(first), "first in order")
    ((facts, openings),) = connection.execute(
        "SELECT count(*) FILTER (WHERE action_dimension_id_user = $1), count(*) FILTER (WHERE"
        " opened_dimension_id_user = $1 AND action = 'closed') FROM dwh.facts",
        [first],
    ).fetchall()
    for subject in ("prioritization", "backlog count"):
        read = rows_read(found, subject)
        assert read["dwh.dimension_users by index dimension_users_dirty"] == DIRTY
    read = rows_read(found, f"user {first}")
    assert read.pop("dwh.facts by index facts_of_user alone") == facts
    # Older servers look there once for each opening, until they have found it.
    by_opener = read.pop("dwh.facts by index facts_closing_notes_of_opener alone")
    assert openings <= by_opener <= openings * openings
    assert not any(how.startswith("dwh.facts") for how in read)
    every = [read for query in found["queries"] for read in query["reads"]]
    assert [r["of_rows"] for r in every if "facts_of_user" in r["how"]] == [2 * NOTES]


def command_of(found: dict[str, Any], kind: str) -> str:
    """The command of the one finding of a kind, which is the only finding."""
    (finding,) = found["findings"]
    assert finding["kind"] == kind
    return str(finding["command"])


@pytest.mark.parametrize(
    ("dropped", "where", "command"),
    [
        (
            "facts_of_user",
            ["user 42"],
            "CREATE INDEX CONCURRENTLY ON dwh.facts (action_dimension_id_user) INCLUDE (action,"
            " action_at, days_to_resolution, dimension_id_application, dimension_id_country,"
            " note_id);",
        ),
        (
            "dimension_users_dirty",
            ["prioritization", "backlog count"],
            "CREATE INDEX CONCURRENTLY ON dwh.dimension_users (dimension_user_id) WHERE modified;",
        ),
        (
            "datamart_users_due",
            ["prioritization", "backlog count"],
            "CREATE INDEX CONCURRENTLY ON dwh.datamart_users (next_change_on);",
        ),
    ],
)
def test_an_index_that_is_missing_is_suggested_and_serves(
    explain: Explain, connection: Connection, dropped: str, where: list[str], command: str
) -> None:
    item = f"--item={USER}"
    # That nothing is ever changed there is what the server's counters say: they begin here.
    connection.execute(
        "INSERT INTO dwh.facts (action, note_id, action_at, dimension_id_country)"
        " SELECT 'opened', -i, '2020-01-01', 1 FROM generate_series(1, 1000) AS i"
    )
    connection.execute("SELECT pg_stat_force_next_flush()")
    before = explain(item)
    connection.execute(f"DROP INDEX dwh.{dropped}".encode())
    found = explain(item)
    assert command_of(found, "missing_index") == command
    assert found["findings"][0]["where"] == where
    assert found["findings"][0]["check"].startswith("unchecked")
    connection.execute(command.encode())
    after = explain(item)
    assert after["findings"] == []
    for subject in where:
        assert sum(rows_read(after, subject).values()) == sum(rows_read(before, subject).values())


def test_a_small_table_is_rightly_read_as_a_whole(explain: Explain, connection: Connection) -> None:
    connection.execute(
        "TRUNCATE dwh.dimension_users, dwh.datamart_users, dwh.facts RESTART IDENTITY"
    )
    connection.execute("INSERT INTO dwh.dimension_users (username) SELECT generate_series(1, 2000)")
    connection.execute("UPDATE dwh.dimension_users SET modified = dimension_user_id < 5")
    connection.execute("DROP INDEX dwh.facts_of_user, dwh.dimension_users_dirty")
    connection.execute("VACUUM ANALYZE dwh.dimension_users, dwh.datamart_users, dwh.facts")
    found = explain()
    assert rows_read(found, "prioritization")["dwh.dimension_users as a whole"] == 2000
    assert found["findings"] == []


def test_an_index_that_was_left_invalid_is_made_anew(
    explain: Explain, connection: Connection
) -> None:
    connection.execute(
        "UPDATE pg_index SET indisvalid = FALSE"
        " WHERE indexrelid = 'dwh.dimension_users_dirty'::regclass"
    )
    command = command_of(explain(), "invalid_index")
    assert command == "REINDEX INDEX CONCURRENTLY dwh.dimension_users_dirty;"
    connection.execute(command.encode())
    assert explain()["findings"] == []


def test_statistics_out_of_date_are_told_with_the_command_that_renews_them(
    explain: Explain, connection: Connection
) -> None:
    connection.execute("ALTER TABLE dwh.dimension_users SET (autovacuum_enabled = off)")
    connection.execute("UPDATE dwh.dimension_users SET modified = TRUE WHERE NOT modified")
    connection.execute("SELECT pg_stat_force_next_flush()")
    found = explain()
    commands = {finding["command"] for finding in found["findings"]}
    assert commands == {"ANALYZE dwh.dimension_users;"}
    assert "changed since it was analyzed" in found["findings"][0]["why"]
    connection.execute("ANALYZE dwh.dimension_users")
    assert explain()["findings"] == []


def test_what_an_item_spills_is_held_by_the_memory_suggested(
    explain: Explain, connection: Connection, server_address: Address
) -> None:
    connection.execute(
        "INSERT INTO dwh.facts (action, note_id, action_at, action_dimension_id_user,"
        " opened_dimension_id_user, dimension_id_country) SELECT 'opened', 1000000 + i,"
        " '2020-01-01'::timestamp + i * interval '1 minute', $1, $1, 1"
        " FROM generate_series(1, 8000) AS i",
        [USER],
    )
    connection.execute("VACUUM ANALYZE dwh.facts")
    found = explain(f"--item={USER}", options="-c work_mem=64kB")
    spills = [finding for finding in found["findings"] if finding["kind"] == "spill"]
    (command,) = {finding["command"] for finding in spills}
    work_mem = command.split("'")[1]
    whose = f"{server_address.user} IN DATABASE {connection.info.dbname}"
    assert command == f"ALTER ROLE {whose} SET work_mem = '{work_mem}';"
    assert spills[0]["check"] == f"checked: with {work_mem} it stays in memory"
    assert explain(f"--item={USER}", options=f"-c work_mem={work_mem}")["findings"] == []


def test_a_runner_is_told_what_to_grant_and_sees_the_rest(
    etl: Etl, connection: Connection, environment: dict[str, str], dsn: str
) -> None:
    ran = etl("explain", "datamart-users", "--json", AS_OF)
    assert ran.status == 0, ran.err
    found = shaped("explain", ran.out)
    assert {query["subject"] for query in found["queries"]} == {"prioritization", "backlog count"}
    # The role of the test session belongs to all databases of the server: another one is told.
    note = found["note"].replace("nightly", "explainer")
    connection.execute("CREATE ROLE explainer LOGIN IN ROLE etl_runner")
    try:
        commands = note[note.index("ALTER ROLE") :].split("; and ")
        assert [command.split()[0] for command in commands] == ["ALTER", "GRANT"]
        for command in commands:
            connection.execute(command.encode())
        ran = etl("explain", "datamart-users", AS_OF, "--dsn", f"{dsn} user=explainer")
        assert ran.status == 0, ran.err
        assert "reads dwh.facts by index facts_of_user alone: 150 of about" in ran.out
        assert "auto_explain" not in ran.out
    finally:
        connection.execute("DROP OWNED BY explainer")
        connection.execute("DROP ROLE explainer")


def test_a_reader_sees_the_listing(environment: dict[str, str], dsn: str) -> None:
    ran = runner({**environment, "ETL_DSN": f"{dsn} user=analyst"})("explain", "datamart-users")
    assert ran.status == 0, ran.err
    assert "by index dimension_users_dirty" in ran.out
    assert "auto_explain" in ran.out


def test_the_item_that_is_named_is_explained(explain: Explain, connection: Connection) -> None:
    found = explain("--item=2")
    assert (found["item_key"], found["item_chosen"]) == ("2", "named")
    for key in ("777777", "x"):
        with pytest.raises(AssertionError, match=key):
            explain(f"--item={key}")
    with connection.transaction():
        connection.execute(
            "SELECT pg_advisory_xact_lock('dwh.datamart_users'::regclass::oid::integer, 2)"
        )
        assert "is held by somebody else" in explain("--item=2", status=1)["note"]


def test_where_nothing_is_dirty_the_item_done_last_is_explained(
    explain: Explain, etl: Etl, connection: Connection
) -> None:
    connection.execute("UPDATE dwh.dimension_users SET modified = FALSE WHERE modified")
    found = explain()
    assert (found["item_key"], found["item_chosen"]) == (None, None)
    assert "name one by --item" in found["note"]
    connection.execute("UPDATE dwh.dimension_users SET modified = TRUE WHERE dimension_user_id = 7")
    assert etl("datamart-users", AS_OF).status == 0
    found = explain()
    assert (found["item_key"], found["item_chosen"]) == ("7", "done last")
