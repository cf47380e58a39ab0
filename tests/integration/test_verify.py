"""`etl verify`: every column of every clean row, and nothing of a dirty one."""

import pytest

from etl import db
from etl.db import Connection
from tests.conftest import Etl, shipped_job
from tests.support import DAY, add_facts, add_users, closed, nodes, opened, refresh_all, user_ids

AS_OF = f"--as-of={DAY}"
NOT_COMPARED = {"dimension_user_id", "as_of", "refreshed_at"}


@pytest.fixture
def clean(connection: Connection) -> Connection:
    """Two clean users with facts and one without."""
    add_users(connection, "ana", "bo", "idle")
    facts = [
        opened(1, "2025-06-01 10:00", "ana"),
        opened(2, "2026-01-15 10:00", "ana"),
        closed(1, "2026-01-14 11:00", "bo", "ana"),
    ]
    add_facts(connection, facts)
    refresh_all(connection)
    return connection


def wrong(connection: Connection) -> dict[str, str]:
    names = {number: name for name, number in user_ids(connection).items()}
    rows = db.run(connection, shipped_job().verify, as_of=DAY)
    return {names.get(key, "?"): problem for key, problem in rows}


def test_what_was_refreshed_is_all_right(clean: Connection, etl: Etl) -> None:
    ran = etl("verify", "datamart-users", AS_OF)
    assert (ran.status, ran.out) == (0, "User datamarts: all right, as of 2026-01-16\n")


def test_every_column_is_compared(clean: Connection) -> None:
    columns = clean.execute(
        "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute"
        " WHERE attrelid = 'dwh.datamart_users'::regclass AND attnum > 0 AND NOT attisdropped"
    ).fetchall()
    changes = {
        "integer": "coalesce({0}, 0) + 1",
        "bigint": "coalesce({0}, 0) + 1",
        "numeric": "coalesce({0}, 0) + 1",
        "text": "{0} || '!'",
        "jsonb": "'[1]'",
        "date": "coalesce({0}, '2030-01-01') + 1",
        "timestamp without time zone": "coalesce({0}, '2030-01-01') + interval '1 second'",
        "integer[]": "{0}[2:] || 7",
    }
    compared: set[str] = set()
    for name, kind in columns:
        if name in NOT_COMPARED:
            continue
        with clean.transaction(force_rollback=True):
            change = changes[kind].format(name)
            clean.execute(f"UPDATE dwh.datamart_users SET {name} = {change}".encode())
            clean.execute("ALTER TABLE dwh.dimension_users DISABLE TRIGGER ALL")
            found = wrong(clean)
            assert found == dict.fromkeys(("ana", "bo", "idle"), f"differs in {name}"), name
            compared.add(str(name))
    assert len(compared) == 44


def test_a_fact_slipped_in_without_a_mark_is_found(clean: Connection, etl: Etl) -> None:
    clean.execute("ALTER TABLE dwh.facts DISABLE TRIGGER ALL")
    add_facts(clean, [opened(9, "2020-01-01 10:00", "ana")])
    found = etl("verify", "datamart-users", AS_OF, "--json").told(wrong=1).record
    assert "opened_total" in found["items"][0]["problem"]
    assert "the activity in dwh.dimension_users" in found["items"][0]["problem"]
    ran = etl("verify", "datamart-users", AS_OF).ended(1)
    assert ran.out.splitlines()[-1] == "User datamarts: 1 wrong, as of 2026-01-16"


def test_missing_and_orphaned_rows_are_found(clean: Connection) -> None:
    clean.execute("DELETE FROM dwh.dimension_users WHERE username = 'idle'")
    clean.execute("DELETE FROM dwh.datamart_users WHERE opened_total = 2")
    assert wrong(clean) == {"ana": "has no datamart row", "?": "has a datamart row but is no user"}


def test_no_part_is_read_once_for_each_user(clean: Connection) -> None:
    verify = shipped_job().verify
    assert verify is not None
    text = b"EXPLAIN (ANALYZE, FORMAT JSON) " + verify.text
    ((explained,),) = clean.execute(text, verify.bind({"as_of": DAY})).fetchall()
    plan = nodes(explained[0]["Plan"])
    parts = [node for node in plan if node.get("CTE Name") not in {None, "today"}]
    assert {part["Actual Loops"] for part in parts} <= {0, 1}
    # Whatever the statistics say: a full join cannot be a nested loop, and the planner has
    # not made a left join of any.
    assert [node.get("Join Type") for node in plan].count("Full") == 11


def test_a_shifted_array_is_found(clean: Connection) -> None:
    clean.execute(
        "UPDATE dwh.datamart_users SET heat_map = heat_map[2:] || heat_map[1]"
        " WHERE opened_total + closed_total > 0"
    )
    assert wrong(clean) == dict.fromkeys(("ana", "bo"), "differs in heat_map")


def test_dirty_users_may_be_wrong(clean: Connection) -> None:
    add_facts(clean, [opened(9, "2020-01-01 10:00", "ana")])
    assert wrong(clean) == {}


def test_an_unknown_job_is_a_usage_error(etl: Etl) -> None:
    etl("verify", "nothing").ended(2, "there is no job nothing", "datamart-users")
