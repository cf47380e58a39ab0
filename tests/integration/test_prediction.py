"""What a cycle was expected to take, and the time limit as a budget."""

import json

import pytest

from etl.db import Connection
from etl.ledger import cost
from tests.conftest import Etl
from tests.support import DAY, add_facts, add_users, opened

AS_OF = f"--as-of={DAY}"
USERS = 12


@pytest.fixture
def warehouse(connection: Connection) -> Connection:
    """Twelve dirty users; the n-th has n facts."""
    add_users(connection, *(f"user{number}" for number in range(USERS)))
    notes = iter(range(1, 1000))
    facts = [
        opened(next(notes), f"2026-01-1{number % 5} 10:00", f"user{number}")
        for number in range(USERS)
        for _ in range(number)
    ]
    add_facts(connection, facts)
    return connection


def mark_all(connection: Connection) -> None:
    connection.execute("UPDATE dwh.dimension_users SET modified = TRUE")


def slow_down(connection: Connection, duration_ms: float) -> None:
    """Rewrite history: every item took that long, and its cycles too."""
    connection.execute("UPDATE etl.attempt SET duration_ms = $1", [duration_ms])
    connection.execute(
        "UPDATE etl.cycle SET finished_at = started_at + done * $1 * interval '1 ms' / workers",
        [duration_ms],
    )


def test_the_ledger_has_the_weight_of_each_attempt(warehouse: Connection, etl: Etl) -> None:
    assert etl("datamart-users", AS_OF).status == 0
    told = warehouse.execute("SELECT item_key, weight FROM etl.attempt").fetchall()
    truth = warehouse.execute(
        "SELECT CAST(u.dimension_user_id AS text), CAST(count(f.note_id) AS double precision)"
        " FROM dwh.dimension_users AS u LEFT JOIN dwh.facts AS f"
        " ON f.action_dimension_id_user = u.dimension_user_id GROUP BY 1"
    ).fetchall()
    assert sorted(told) == sorted(truth)


def test_costs_are_learned_by_power_of_two_of_the_weight(warehouse: Connection, etl: Etl) -> None:
    assert cost.learn(warehouse, "datamart_users") is None
    for _ in range(3):
        assert etl("datamart-users", AS_OF).status == 0
        mark_all(warehouse)
    model = cost.learn(warehouse, "datamart_users")
    assert model is not None
    assert model.cycles == 3
    truth = warehouse.execute(
        "SELECT CASE WHEN weight < 1 THEN 0 WHEN weight < 2 THEN 1 WHEN weight < 4 THEN 2"
        " WHEN weight < 8 THEN 3 ELSE 4 END, count(*), avg(duration_ms), var_pop(duration_ms)"
        " FROM etl.attempt GROUP BY 1"
    ).fetchall()
    assert set(model.octaves) == {octave for octave, *_ in truth} == {0, 1, 2, 3, 4}
    for octave, items, mean_ms, variance in truth:
        seen = model.octaves[octave]
        assert seen.items == items
        assert seen.mean_ms == pytest.approx(mean_ms)
        assert seen.variance == pytest.approx(variance)


def test_a_time_limit_admits_what_should_be_done_by_then(warehouse: Connection, etl: Etl) -> None:
    assert etl("datamart-users", AS_OF).status == 0
    slow_down(warehouse, 1000.0)
    mark_all(warehouse)
    ran = etl("datamart-users", AS_OF, "--workers=1", "--time-limit=7s", "--json")
    assert ran.status == 0, ran.err
    record = json.loads(ran.out)
    # Seven would take 7 s; once in twenty times more: one cycle's spread is taken as a quarter.
    assert (record["found"], record["done"], record["remaining"]) == (USERS, 4, USERS - 4)
    assert (record["stop_reason"], record["time_limit_s"]) == ("time limit", 7.0)
    assert record["predicted_s"] == pytest.approx(4.0, abs=0.01)
    assert record["predicted_p95_s"] == pytest.approx(4.0 * (1 + 1.645 * 0.25), abs=0.01)
    assert "time limit 7.0 s: the first 4, which should be done by then" in ran.err
    stored = warehouse.execute(
        "SELECT time_limit_s, predicted_s, predicted_p95_s FROM etl.cycle ORDER BY 1 LIMIT 1"
    ).fetchone()
    keys = ("predicted_s", "predicted_p95_s")
    assert stored == (7.0, *(pytest.approx(record[key], abs=0.001) for key in keys))


def test_the_item_limit_caps_the_budget(warehouse: Connection, etl: Etl) -> None:
    assert etl("datamart-users", AS_OF).status == 0
    slow_down(warehouse, 1000.0)
    mark_all(warehouse)
    ran = etl("datamart-users", AS_OF, "--time-limit=7s", "--max-users=3", "--json")
    assert (json.loads(ran.out)["done"], json.loads(ran.out)["stop_reason"]) == (3, "limit")


def test_a_cycle_tells_what_it_found_and_left_by_level(warehouse: Connection, etl: Etl) -> None:
    warehouse.execute(
        "UPDATE dwh.dimension_users SET dirty_since ="
        " timestamptz '2026-01-16T00:00Z' - dimension_user_id * interval '1 hour'"
    )
    oldest = {
        has_facts: since.isoformat()
        for has_facts, since in warehouse.execute(
            "SELECT total_actions > 0, min(dirty_since) FROM dwh.dimension_users GROUP BY 1"
        )
    }
    ran = etl("datamart-users", AS_OF, "--max-users=9", "--reserved-percent=0", "--json")
    levels = {level["level"]: level for level in json.loads(ran.out)["levels"]}
    assert levels[1]["oldest_dirty_at"] == oldest[True]
    assert levels[6]["oldest_dirty_at"] == oldest[False]
    assert (levels[1]["found"], levels[1]["left"], levels[6]["left"]) == (11, 2, 1)
    ((left,),) = warehouse.execute(
        "SELECT min(dirty_since) FROM dwh.dimension_users WHERE modified AND total_actions > 0"
    ).fetchall()
    assert levels[1]["oldest_left_at"] == left.isoformat()
    assert levels[2] == {
        **dict.fromkeys(("found", "done", "failed", "busy", "orphaned", "left"), 0),
        **dict.fromkeys(("oldest_dirty_at", "oldest_left_at")),
        **{"level": 2, "name": "high"},
    }  # fmt: skip


def test_a_cycle_that_crashed_says_what_items_take_and_not_what_a_cycle_takes(
    warehouse: Connection, etl: Etl
) -> None:
    for _ in range(4):
        assert etl("datamart-users", AS_OF).status == 0
        mark_all(warehouse)
    slow_down(warehouse, 10.0)
    before = cost.learn(warehouse, "datamart_users")
    assert before is not None
    # It ran for a moment, and the next night's cycle closed its record.
    warehouse.execute(
        "UPDATE etl.cycle SET stop_reason = 'crashed', finished_at = started_at + interval '1 day'"
        " WHERE cycle_id = (SELECT max(cycle_id) FROM etl.cycle)"
    )
    model = cost.learn(warehouse, "datamart_users")
    assert model is not None
    assert (model.cycles, model.spread) == (3, before.spread)
    assert sum(seen.items for seen in model.octaves.values()) == 4 * USERS
    ran = etl("datamart-users", AS_OF, "--workers=1", "--time-limit=1m", "--json")
    assert json.loads(ran.out)["done"] == USERS


def test_a_history_of_crashes_alone_lets_the_next_cycle_begin(
    warehouse: Connection, etl: Etl
) -> None:
    assert etl("datamart-users", AS_OF).status == 0
    warehouse.execute("UPDATE etl.cycle SET stop_reason = 'crashed', workers = 0")
    mark_all(warehouse)
    ran = etl("datamart-users", AS_OF, "--time-limit=1m", "--json")
    assert ran.status == 0, ran.err
    assert json.loads(ran.out)["done"] == USERS
