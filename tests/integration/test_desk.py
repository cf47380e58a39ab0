"""status, plan and history, compared with SQL written for these tests alone."""

import json
import signal
import subprocess
import sys
from functools import partial
from typing import Any

import pytest

from etl.db import Connection
from tests.conftest import Etl, clear
from tests.shapes import shaped
from tests.support import DAY, add_facts, add_users, opened

AS_OF = f"--as-of={DAY}"
LEVEL = """
    CASE
        WHEN last_action_at >= date '2026-01-09' THEN 1
        WHEN last_action_at >= date '2025-12-17' THEN 2
        WHEN last_action_at >= date '2025-10-18' THEN 3 WHEN total_actions > 100 THEN 4
        WHEN total_actions > 10 THEN 5 ELSE 6
    END
"""

READ_ONLY = "-c default_transaction_read_only=on"


@pytest.fixture
def warehouse(connection: Connection) -> Connection:
    """Thirty dirty users of several levels, the n-th dirty for n hours."""
    add_users(connection, *(f"user{number}" for number in range(30)))
    months = ("2026-01-10", "2025-12-20", "2025-11-01", "2020-01-01")
    notes = iter(range(1, 10_000))
    add_facts(
        connection,
        [
            opened(next(notes), f"{months[number % 4]} 10:00", f"user{number}")
            for number in range(29)
            for _ in range(1 + number % 12)
        ],
    )
    age_all(connection)
    return connection


def age_all(connection: Connection) -> None:
    connection.execute(
        "UPDATE dwh.dimension_users SET modified = TRUE,"
        " dirty_since = now() - dimension_user_id * interval '1 hour'"
    )


def told(etl: Etl, shape: str, *arguments: str) -> Any:
    """The JSON of a command, which must have its documented shape."""
    ran = etl(*arguments, "--json")
    assert ran.status == 0, ran.err
    return shaped(shape, ran.out)


def by_level(connection: Connection, what: str, where: str = "modified") -> dict[int, Any]:
    text = f"SELECT {LEVEL}, {what} FROM dwh.dimension_users WHERE {where} GROUP BY 1"
    return dict(connection.execute(text.encode()).fetchall())


def one(connection: Connection, text: str) -> Any:
    return connection.execute(text.encode()).fetchall()[0][0]


def test_status_tells_backlog_and_ages_by_level(warehouse: Connection, etl: Etl) -> None:
    (status,) = told(etl, "status", "status", "datamart-users", AS_OF)["jobs"]
    dirty = {level["level"]: level["items"] for level in status["levels"] if level["items"]}
    assert dirty == by_level(warehouse, "count(*)")
    assert status["backlog"] == 30
    oldest = by_level(warehouse, "CAST(max(dimension_user_id) AS integer)")
    for level in status["levels"]:
        hours = oldest.get(level["level"])
        is_late = hours is not None and hours * 3600 > level["goal_s"]
        assert level["is_late"] is is_late
        if hours is not None:
            assert level["oldest_s"] == pytest.approx(hours * 3600, abs=60)
            assert level["oldest_s"] >= level["p95_s"] >= level["p50_s"]
    assert (status["running"], status["cut_off"], status["last"]) == (None, None, [])
    assert status["flow"]["gone_in_cycles"] is None
    said = etl("status", "datamart-users", AS_OF)
    assert said.out.startswith("User datamarts: 30 dirty users; over their goal: critical, high")
    assert "when it will be gone can be told after two cycles" in said.out


def test_status_tells_when_the_backlog_will_be_gone(warehouse: Connection, etl: Etl) -> None:
    tonight = one(warehouse, "SELECT now()::text")
    for night in range(3):
        assert etl("datamart-users", AS_OF, "--max-users=5").status == 0
        warehouse.execute(
            "UPDATE etl.cycle SET started_at = $2::timestamptz - $1 * interval '1 day'"
            " WHERE cycle_id = (SELECT max(cycle_id) FROM etl.cycle)",
            [2 - night, tonight],
        )
    (status,) = told(etl, "status", "status", "datamart-users", AS_OF)["jobs"]
    flow = status["flow"]
    assert status["backlog"] == 15
    assert (flow["cycles"], flow["capacity_per_cycle"], flow["gone_in_cycles"]) == (3, 5, 3)
    assert flow["every_s"] == pytest.approx(86_400, abs=1)
    assert flow["arrivals_per_cycle"] == pytest.approx(0, abs=0.01)
    assert [cycle["done"] for cycle in status["last"]] == [5, 5, 5]
    add_users(warehouse, *(f"late{number}" for number in range(20)))
    (status,) = told(etl, "status", "status", "datamart-users", AS_OF)["jobs"]
    assert status["flow"]["is_never"] is True
    said = etl("status", "datamart-users", AS_OF).out
    assert "never gone at these settings: 10 users come in" in said


def test_a_cycle_that_ended_before_it_had_counted_says_nothing_of_the_backlog(
    warehouse: Connection, etl: Etl
) -> None:
    for nights_ago in (2, 1):
        assert etl("datamart-users", AS_OF, "--max-users=5").status == 0
        warehouse.execute(
            "UPDATE etl.cycle SET started_at = now() - $1 * interval '1 day'"
            " WHERE cycle_id = (SELECT max(cycle_id) FROM etl.cycle)",
            [nights_ago],
        )
    (status,) = told(etl, "status", "status", "datamart-users", AS_OF)["jobs"]
    for nights_ago in (3, 0):  # their supervisors died at once, and the next cycle closed them
        warehouse.execute(
            "INSERT INTO etl.cycle (job, started_at, finished_at, host, pid, etl_version, as_of,"
            " max_items, workers, stop_reason) SELECT 'datamart_users', t.at, t.at, 'gone', 1, '0',"
            " t.at, 0, 0, 'crashed' FROM (SELECT now() - $1 * interval '1 day' AS at) AS t",
            [nights_ago],
        )
    (again,) = told(etl, "status", "status", "datamart-users", AS_OF)["jobs"]
    assert (again["flow"]["gone_in_cycles"], again["flow"]["is_never"]) == (4, False)
    for name in ("cycles", "arrivals_per_cycle", "capacity_per_cycle", "gone_in_cycles"):
        assert again["flow"][name] == pytest.approx(status["flow"][name])


def test_status_tells_of_a_cycle_that_was_cut_off(warehouse: Connection, etl: Etl) -> None:
    warehouse.execute(
        "INSERT INTO etl.cycle (job, started_at, host, pid, etl_version, as_of, max_items, workers)"
        " VALUES ('datamart_users', now(), 'gone', 1, '0', now(), 5, 1)"
    )
    (status,) = told(etl, "status", "status", "datamart-users", AS_OF)["jobs"]
    assert (status["cut_off"], status["running"]) == (1, None)


def test_plan_tells_what_the_next_cycle_does(warehouse: Connection, etl: Etl) -> None:
    for _ in range(2):
        assert etl("datamart-users", AS_OF).status == 0
        age_all(warehouse)
    reading = partial(etl, PGOPTIONS=READ_ONLY)  # no write
    plan = told(reading, "plan", "plan", "datamart-users", AS_OF, "--max-items=12", "--workers=3")
    assert (plan["found"], plan["queued"], plan["reserved"], plan["learned_from"]) == (30, 12, 2, 2)
    assert (plan["workers"], plan["connections"]["needed"]) == (3, 4)
    assert plan["connections"]["most"] == int(one(warehouse, "SHOW max_connections"))
    listed = plan["first"] + plan["last"]
    assert [item["position"] for item in listed] == [*range(1, 6), *range(8, 13)]
    ran = json.loads(etl("datamart-users", AS_OF, "--max-users=12", "--workers=3", "--json").out)
    assert ran["predicted_s"] == pytest.approx(plan["predicted"]["mean_s"], abs=0.01)
    done = [key for (key,) in warehouse.execute(
        "SELECT item_key FROM etl.attempt WHERE cycle_id = (SELECT max(cycle_id) FROM etl.cycle)"
    )]  # fmt: skip
    assert {item["item_key"] for item in listed} < set(done)
    left, oldest = by_level(warehouse, "count(*)"), by_level(warehouse, "max(now() - dirty_since)")
    for level in plan["levels"]:
        assert level["cut_off"] == left.get(level["level"], 0)
        assert level["queued"] == level["found"] - level["cut_off"]
        if level["cut_off"]:
            age_s = oldest[level["level"]].total_seconds()
            assert level["cut_off_oldest_s"] == pytest.approx(age_s, abs=60)


def test_the_text_of_plan_says_how_many_and_how_long(warehouse: Connection, etl: Etl) -> None:
    said = etl("plan", "datamart-users", AS_OF, "--max-items=7").out
    assert "a cycle now would take 7 of 30 users, as of 2026-01-16" in said
    assert "duration: unknown until a cycle has done something" in said


def test_history_has_the_numbers_of_the_ledger(warehouse: Connection, etl: Etl) -> None:
    assert etl("datamart-users", AS_OF, "--max-users=9").status == 0
    assert etl("datamart-users", AS_OF, "--max-users=8").status == 0
    (job,) = told(etl, "history", "history", "datamart-users")["jobs"]
    found = [(cycle["cycle_id"], cycle["found"], cycle["done"]) for cycle in job["cycles"]]
    assert found == [(2, 21, 8), (1, 30, 9)]
    newest = job["cycles"][0]
    left_s = one(
        warehouse,
        "SELECT CAST(extract(EPOCH FROM c.finished_at - min(u.dirty_since)) AS float)"
        " FROM dwh.dimension_users AS u, etl.cycle AS c WHERE u.modified AND c.cycle_id = 2"
        " GROUP BY c.finished_at",
    )
    assert newest["oldest_left_s"] == pytest.approx(left_s, abs=0.01)
    (job,) = told(etl, "history", "history", "datamart-users", "--cycles=1")["jobs"]
    assert job["cycles"] == [newest]


def test_history_of_one_cycle_has_its_failures_and_slowest_items(
    warehouse: Connection, etl: Etl
) -> None:
    warehouse.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN IF NEW.dimension_user_id <= 2 THEN RAISE EXCEPTION 'no <b>%</b>',"
        " NEW.dimension_user_id USING ERRCODE = 'ET001'; END IF; RETURN NEW; END $$"
    )
    warehouse.execute(
        "CREATE TRIGGER refuse BEFORE INSERT ON dwh.datamart_users"
        " FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    assert etl("datamart-users", AS_OF).status == 1
    cycle = told(etl, "history", "history", "datamart-users", "--cycle=1")
    (failure,) = cycle["failures"]
    assert (failure["outcome"], failure["sqlstate"], failure["attempts"]) == ("failed", "ET001", 2)
    slowest = warehouse.execute(
        "SELECT item_key FROM etl.attempt ORDER BY duration_ms DESC, item_key LIMIT 10"
    )
    assert [item["item_key"] for item in cycle["slowest"]] == [key for (key,) in slowest]
    said = etl("history", "datamart-users", "--cycle=1").out
    assert "ET001     failed" in said
    warehouse.execute("DELETE FROM etl.attempt")
    assert "its attempts are forgotten" in etl("history", "datamart-users", "--cycle=1").out


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["history", "datamart-users", "--cycle=7"], "datamart-users has no cycle 7"),
        (["history", "--cycle=7"], "--cycle needs a job"),
        (["status", "nothing"], "there is no job nothing"),
        (["plan", "nothing"], "there is no job nothing"),
        (["status", "--watch", "--every=nan"], "--every must be a duration"),
        (["status", "--watch", "--every=0s"], "--every must be a duration"),
        (["plan", "datamart-users", "--time-limit=soon"], "--time-limit must be a duration"),
    ],
)
def test_what_cannot_be_told_is_one_clear_error(
    dsn: str, etl: Etl, arguments: list[str], problem: str
) -> None:
    ran = etl(*arguments)
    assert clear(ran, 2, problem)


def test_a_cycle_s_json_has_its_documented_shape(warehouse: Connection, etl: Etl) -> None:
    told(etl, "cycle", "datamart-users", AS_OF, "--dry-run")
    told(etl, "cycle", "datamart-users", AS_OF)
    told(etl, "cycle", "datamart-users", AS_OF, "--verify")


def test_watching_tells_it_again_and_again_until_it_is_interrupted(
    warehouse: Connection, dsn: str, environment: dict[str, str]
) -> None:
    command = [sys.executable, "-m", "etl", "status", "datamart-users", AS_OF, "--json"]
    command += ["--watch", "--every=200ms"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**environment, "ETL_DSN": dsn},
        text=True,
    ) as watching:
        assert watching.stdout is not None
        assert json.loads(watching.stdout.readline())["jobs"][0]["backlog"] == 30
        warehouse.execute("UPDATE dwh.dimension_users SET modified = FALSE")
        while json.loads(watching.stdout.readline())["jobs"][0]["backlog"] == 30:
            pass
        watching.send_signal(signal.SIGINT)
        assert watching.wait() == 0
        assert watching.stderr is not None
        assert "Traceback" not in watching.stderr.read()


def test_status_does_not_wait_for_a_table_that_somebody_has_locked(
    warehouse: Connection, etl: Etl
) -> None:
    warehouse.execute("BEGIN")
    warehouse.execute("LOCK TABLE dwh.dimension_users")
    try:
        clear(etl("status", "datamart-users", AS_OF), 2, "lock timeout", "'etl doctor' names who")
    finally:
        warehouse.execute("ROLLBACK")
