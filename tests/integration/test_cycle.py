"""One cycle from the command line: what it does, tells and leaves behind."""

import json
from pathlib import Path

import pytest

from etl.db import Connection
from tests.conftest import Etl
from tests.support import DAY, add_facts, add_users, dirty, opened, user_ids

AS_OF = f"--as-of={DAY}"


@pytest.fixture
def warehouse(connection: Connection) -> dict[str, int]:
    """Five users: two of this week, one of last month, one of long ago, one without facts."""
    add_users(connection, "ana", "bo", "cy", "dora", "eve")
    facts = [
        opened(1, "2026-01-15 10:00", "bo"),
        opened(2, "2026-01-10 10:00", "ana"),
        opened(3, "2026-01-09 09:00", "ana"),
        opened(4, "2025-12-20 10:00", "cy"),
        opened(5, "2020-02-02 10:00", "dora"),
    ]
    add_facts(connection, facts)
    return user_ids(connection)


def refreshed(connection: Connection) -> list[int]:
    rows = connection.execute(
        "SELECT dimension_user_id FROM dwh.datamart_users ORDER BY refreshed_at"
    )
    return [int(user) for (user,) in rows]


def test_it_refreshes_the_dirty_users_in_order_of_priority(
    etl: Etl, connection: Connection, warehouse: dict[str, int]
) -> None:
    etl("datamart-users", AS_OF, "--workers=1").ended(0)
    assert refreshed(connection) == [warehouse[name] for name in ("ana", "bo", "cy", "dora", "eve")]
    assert dirty(connection) == set()


def test_max_users_leaves_the_others_dirty_for_the_next_cycle(
    etl: Etl, connection: Connection, warehouse: dict[str, int]
) -> None:
    etl("datamart-users", AS_OF, "--max-users=2", "--json").told(
        found=5, done=2, remaining=3, stop_reason="limit"
    )
    assert dirty(connection) == {"cy", "dora", "eve"}
    etl("datamart-users", AS_OF, "--json").told(found=3, done=3, remaining=0, stop_reason="drained")
    assert refreshed(connection)[:2] == [warehouse["ana"], warehouse["bo"]]


def test_the_environment_sets_the_limit_and_the_flag_beats_it(
    etl: Etl, warehouse: dict[str, int]
) -> None:
    limited = etl("datamart-users", AS_OF, "--dry-run", "--json", MAX_USERS_PER_CYCLE="2")
    assert "limit 2: the first 2" in limited.err
    flagged = etl("datamart-users", AS_OF, "--dry-run", "--max-users=3", MAX_USERS_PER_CYCLE="2")
    assert "limit 3: the first 3" in flagged.err


def test_catch_up_mode_takes_more_when_the_backlog_is_large(
    etl: Etl, connection: Connection, warehouse: dict[str, int]
) -> None:
    environment = {
        "MAX_USERS_PER_CYCLE": "1",
        "CATCHUP_THRESHOLD": "4",
        "MAX_USERS_PER_CYCLE_CATCHUP": "3",
    }
    ran = etl("datamart-users", AS_OF, **environment)
    assert "catching up, limit 3: the first 3" in ran.err
    assert len(dirty(connection)) == 2
    ran = etl("datamart-users", AS_OF, **environment)
    assert "catching up" not in ran.err
    assert len(dirty(connection)) == 1


def test_one_user_is_refreshed_by_name_dirty_or_not(
    etl: Etl, connection: Connection, warehouse: dict[str, int]
) -> None:
    for _ in range(2):
        planned = etl("datamart-users", AS_OF, f"--user={warehouse['dora']}", "--dry-run")
        assert "would do 1 of 1 users" in planned.out
        etl("datamart-users", AS_OF, f"--user={warehouse['dora']}", "--json").ended(0, done=1)
    assert refreshed(connection) == [warehouse["dora"]]
    assert dirty(connection) == {"ana", "bo", "cy", "eve"}


@pytest.mark.parametrize(
    ("key", "said"), [("999999", "no user has the id 999999"), ("x'y", "invalid input syntax")]
)
def test_an_unknown_user_is_a_usage_error_and_is_not_held(
    etl: Etl, connection: Connection, warehouse: dict[str, int], key: str, said: str
) -> None:
    ran = etl("datamart-users", AS_OF, "--user", key).ended(2)
    assert said in ran.err.splitlines()[-2]
    assert connection.execute("SELECT FROM etl.held_item").rowcount == 0


def test_dry_run_writes_nothing_at_all(
    etl: Etl, connection: Connection, warehouse: dict[str, int], environment: dict[str, str]
) -> None:
    ran = etl("datamart-users", AS_OF, "--dry-run").ended(0)
    assert "would do 5 of 5 users" in ran.out
    assert len(dirty(connection)) == 5
    assert connection.execute("SELECT FROM etl.cycle").rowcount == 0
    assert not Path(environment["ETL_STATE_DIR"]).exists()


def test_the_log_tells_a_cron_reader_what_happened(
    etl: Etl, connection: Connection, warehouse: dict[str, int]
) -> None:
    add_users(connection, *(f"idle{number}" for number in range(250)))
    ran = etl("datamart-users", AS_OF, "--workers=1", "--max-users=240")
    lines = [line.split("datamart-users: ")[1] for line in ran.err.splitlines()]
    assert lines[0] == "found 255 users to refresh: 2 critical, 1 high, 252 lowest"
    assert lines[1] == "limit 240: the first 240 in order of priority"
    assert lines[2] == "using 1 worker"
    assert [line.split(" (now")[0] for line in lines[3:5]] == [
        "worker 1: 100 users",
        "worker 1: 200 users",
    ]
    assert lines[5] == "worker 1: finished, 240 users done"
    assert lines[6].startswith("240 of 255 users done in ")
    assert lines[6].endswith("15 remain for the next cycle")


def test_log_lines_as_json_are_one_object_each(etl: Etl, warehouse: dict[str, int]) -> None:
    ran = etl("datamart-users", AS_OF, "--log-format=json", "--json")
    events = [json.loads(line) for line in ran.err.splitlines()]
    assert {event["job"] for event in events} == {"datamart_users"}
    assert events[-1]["done"] == ran.record["done"] == 5


def test_a_failing_user_is_told_held_and_costs_nobody_else(
    etl: Etl, connection: Connection, warehouse: dict[str, int]
) -> None:
    poison = f"CHECK (dimension_user_id <> {warehouse['cy']})"
    connection.execute(f"ALTER TABLE dwh.datamart_users ADD CONSTRAINT poison {poison}".encode())
    etl("datamart-users", AS_OF, "--json").ended(
        1, f"user {warehouse['cy']} failed:", "[23514]", done=4, failed=1, held=1
    )
    assert dirty(connection) == {"cy"}
    held = connection.execute(
        "SELECT item_key, attempts, last_sqlstate, held_until > now() FROM etl.held_item"
    ).fetchall()
    assert held == [(str(warehouse["cy"]), 1, "23514", True)]
    etl("datamart-users", AS_OF, "--json").told(found=0, held=1)


def test_a_user_that_a_loader_has_marked_is_busy_and_stays_dirty(
    etl: Etl, connection: Connection, warehouse: dict[str, int]
) -> None:
    with connection.transaction():
        connection.execute("UPDATE dwh.dimension_users SET modified = TRUE WHERE username = 'bo'")
        etl("datamart-users", AS_OF, "--json").told(done=4, busy=1, failed=0)
    assert dirty(connection) == {"bo"}
    assert connection.execute("SELECT FROM etl.held_item").rowcount == 0


def test_the_ledger_adds_up_and_has_every_attempt(
    etl: Etl, connection: Connection, warehouse: dict[str, int]
) -> None:
    etl("datamart-users", AS_OF, "--max-users=3", "--workers=2")
    row = connection.execute(
        "SELECT cycle_id, found, done, remaining, workers, stop_reason, finished_at IS NOT NULL"
        " FROM etl.cycle"
    ).fetchone()
    assert row is not None
    assert row[1:] == (5, 3, 2, 2, "limit", True)
    attempts = connection.execute(
        "SELECT item_key, level, outcome, duration_ms > 0 FROM etl.attempt"
        " WHERE cycle_id = $1 ORDER BY level, item_key",
        [row[0]],
    ).fetchall()
    first_three = [("ana", 1), ("bo", 1), ("cy", 2)]
    assert attempts == [(str(warehouse[name]), level, "done", True) for name, level in first_three]


def test_time_alone_makes_a_clean_user_dirty(
    etl: Etl, connection: Connection, warehouse: dict[str, int]
) -> None:
    etl("datamart-users", AS_OF)
    due = connection.execute(
        "SELECT username, next_change_on::text FROM dwh.datamart_users"
        " JOIN dwh.dimension_users USING (dimension_user_id) ORDER BY username"
    ).fetchall()
    assert due == [
        ("ana", "2026-01-17"),  # her note of the 9th leaves the last 7 days
        ("bo", "2026-01-17"),  # the streak that ended on the 15th can go on no more
        ("cy", "2026-01-20"),  # his note of 20 December leaves the last 30 days
        ("dora", None),
        ("eve", None),
    ]
    record = etl("datamart-users", "--as-of=2026-01-17", "--json").record
    assert record["found"] == record["done"] == 2
    etl("verify", "datamart-users", "--as-of=2026-01-17", "--json").told(wrong=0, items=[])


def test_workers_are_named_for_the_dba(
    etl: Etl, connection: Connection, warehouse: dict[str, int]
) -> None:
    connection.execute("CREATE TABLE seen (name text)")
    connection.execute("GRANT INSERT ON seen TO etl_runner")
    connection.execute(
        "CREATE FUNCTION note_name() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN INSERT INTO seen SELECT current_setting('application_name');"
        " RETURN NEW; END $$"
    )
    connection.execute(
        "CREATE TRIGGER note_name BEFORE INSERT ON dwh.datamart_users"
        " FOR EACH ROW EXECUTE FUNCTION note_name()"
    )
    etl("datamart-users", AS_OF, "--workers=1")
    assert connection.execute("SELECT DISTINCT name FROM seen").fetchall() == [
        ("etl:datamart-users w1",)
    ]
