"""The order of a cycle: the cascade, the levels, and what the query reads."""

from pathlib import Path

import pytest

from etl import db
from etl.db import Connection
from etl.job import Job
from tests.conftest import Etl, shipped_job
from tests.support import DAY, add_facts, add_users, opened, refresh_all, user_ids

NOW = "2026-01-16T03:00:00Z"


@pytest.fixture
def job() -> Job:
    return shipped_job()


def listed(
    connection: Connection, job: Job, limit: int | None = None, reserved: int = 0
) -> list[tuple[str, int]]:
    names = {number: name for name, number in user_ids(connection).items()}
    values = {"as_of": DAY, "now": NOW, "max_items": limit, "reserved_percent": reserved}
    rows = db.run(connection, job.prioritize, **values)
    return [(names[key], level) for key, level, _ in rows]


def add_user(connection: Connection, name: str, actions: int, last: str | None) -> None:
    """A user with this many actions, the last at this time and the others in 2015."""
    add_users(connection, name)
    if last is None:
        return
    note = int(connection.execute("SELECT count(*) FROM dwh.facts").fetchall()[0][0])
    times = [last, *(f"2015-06-01 00:{i // 60 % 60:02}:{i % 60:02}" for i in range(actions - 1))]
    add_facts(connection, [opened(note + i + 1, at, name) for i, at in enumerate(times)])


def test_the_cascade_is_recency_volume_total_latest_key(connection: Connection, job: Job) -> None:
    users: list[tuple[str, int, str | None]] = [
        ("idle2", 0, None),
        ("idle1", 0, None),
        ("old few", 3, "2024-01-01"),
        ("old ten", 10, "2024-01-01"),
        ("old eleven", 11, "2020-01-01"),
        ("old hundred", 100, "2020-01-01"),
        ("old hundred one", 101, "2019-01-01"),
        ("quarter, few, later", 2, "2025-11-30"),
        ("quarter, few, earlier", 2, "2025-11-29"),
        ("quarter, edge", 1, "2025-10-18 00:00"),
        ("just older than a quarter", 1, "2025-10-17 23:59"),
        ("month, edge", 1, "2025-12-17 00:00"),
        ("month, many", 12, "2025-12-20"),
        ("week, edge", 1, "2026-01-09 00:00"),
        ("week, same, first key", 5, "2026-01-15"),
        ("week, same, second key", 5, "2026-01-15"),
        ("week, most", 101, "2026-01-10"),
    ]
    for name, actions, last in users:
        add_user(connection, name, actions, last)
    expected = [
        ("week, most", 1),
        ("week, same, first key", 1),
        ("week, same, second key", 1),
        ("week, edge", 1),
        ("month, many", 2),
        ("month, edge", 2),
        ("quarter, few, later", 3),
        ("quarter, few, earlier", 3),
        ("quarter, edge", 3),
        ("old hundred one", 4),
        ("old hundred", 5),
        ("old eleven", 5),
        ("old ten", 6),
        ("old few", 6),
        ("just older than a quarter", 6),
        ("idle2", 6),
        ("idle1", 6),
    ]
    assert listed(connection, job) == expected
    assert listed(connection, job, 4) == expected[:4]


def test_clean_users_are_not_listed_until_the_clock_changes_their_row(
    connection: Connection, job: Job
) -> None:
    add_user(connection, "ana", 1, "2026-01-10")
    add_user(connection, "idle", 0, None)
    refresh_all(connection)
    assert listed(connection, job) == []
    connection.execute("UPDATE dwh.datamart_users SET next_change_on = '2026-01-16'")
    assert listed(connection, job) == [("ana", 1), ("idle", 6)]


def test_a_user_that_is_dirty_twice_is_listed_once(connection: Connection, job: Job) -> None:
    add_user(connection, "ana", 1, "2026-01-10")
    refresh_all(connection)
    connection.execute("UPDATE dwh.datamart_users SET next_change_on = '2026-01-16'")
    connection.execute("UPDATE dwh.dimension_users SET modified = TRUE")
    assert listed(connection, job) == [("ana", 1)]


@pytest.mark.parametrize(
    ("held_until", "quarantined_at", "is_listed"),
    [
        ("2026-01-16T03:00:01Z", None, False),
        ("2026-01-16T03:00:00Z", None, True),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", False),
    ],
    ids=["held", "back-off over", "quarantined"],
)
def test_held_items_are_left_out(
    connection: Connection, job: Job, held_until: str, quarantined_at: str | None, is_listed: bool
) -> None:
    add_user(connection, "ana", 1, "2026-01-10")
    connection.execute(
        "INSERT INTO etl.held_item (job, item_key, attempts, held_until, quarantined_at,"
        " last_cycle_id, last_outcome) VALUES ('datamart_users', $1, 1, $2, $3, 1, 'failed')",
        [str(user_ids(connection)["ana"]), held_until, quarantined_at],
    )
    assert bool(listed(connection, job)) is is_listed
    counted = db.run(connection, job.backlog, as_of=DAY, now=NOW).fetchall()
    assert bool(counted) is is_listed


def test_backlog_counts_what_prioritize_lists(connection: Connection, job: Job) -> None:
    for number, (actions, last) in enumerate(
        [(1, "2026-01-10"), (2, "2026-01-01"), (101, "2020-01-01"), (20, "2020-01-01"), (0, None)]
    ):
        add_user(connection, f"user{number}", actions, last)
    levels = [level for _, level in listed(connection, job)]
    counted = db.run(connection, job.backlog, as_of=DAY, now=NOW).fetchall()
    assert {level: items for level, items, _ in counted} == {
        level: levels.count(level) for level in set(levels)
    }


def test_freshness_tells_the_ages_of_what_backlog_counts(connection: Connection, job: Job) -> None:
    for number in range(40):
        add_user(connection, f"user{number}", number % 3, "2026-01-10" if number % 2 else None)
    connection.execute(
        "UPDATE dwh.dimension_users SET dirty_since = now() - dimension_user_id * interval '1 min'"
    )
    assert job.freshness is not None
    keys = [str(number) for number in list(user_ids(connection).values())[:7]]
    told = db.run(connection, job.freshness, as_of=DAY, now=NOW, without=[]).fetchall()
    counted = db.run(connection, job.backlog, as_of=DAY, now=NOW).fetchall()
    assert [row[:3] for row in told] == counted
    ages = "SELECT CASE WHEN total_actions > 0 THEN 1 ELSE 6 END, array_agg(dirty_since ORDER BY 1)"
    for level, since in connection.execute(f"{ages} FROM dwh.dimension_users GROUP BY 1".encode()):
        (row,) = [row for row in told if row[0] == level]
        since.sort()
        assert row[3:] == (since[-(-len(since) * 5 // 100) - 1], since[-(-len(since) // 2) - 1])
    rest = db.run(connection, job.freshness, as_of=DAY, now=NOW, without=keys).fetchall()
    assert sum(row[1] for row in rest) == 40 - len(keys)


def test_the_queue_file_is_the_prioritized_list(
    connection: Connection, job: Job, etl: Etl, environment: dict[str, str]
) -> None:
    for number in range(20):
        add_user(connection, f"user{number}", number, "2025-12-31" if number else None)
    values = {"as_of": DAY, "now": NOW, "max_items": 7, "reserved_percent": 10}
    expected = db.run(connection, job.prioritize, **values).fetchall()
    etl("datamart-users", f"--as-of={DAY}", "--max-users=7", "--json").told(done=7)
    (queue,) = Path(environment["ETL_STATE_DIR"]).glob("cycles/*/datamart_users/*/queue.tsv")
    assert queue.read_text().splitlines() == [
        "item_key\tlevel\tweight",
        *(f"{key}\t{level}\t{weight}" for key, level, weight in expected),
    ]
