"""Odd records and odd jobs: every reader of it says the same, and only what can be."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from etl import db
from etl.db import Connection
from etl.sqlfile import shipped
from tests.conftest import Etl
from tests.integration.test_desk import told
from tests.metrics.conftest import samples

JOB = "datamart-users"
LEVEL = {"level": 1, "name": "critical", "found": 9, "done": 7, "failed": 1, "busy": 0,
         "orphaned": 0, "oldest_dirty_at": "2026-01-15T03:00:00+00:00", "left": 1,
         "oldest_left_at": "2026-01-16T02:00:00+00:00"}  # fmt: skip


def add(connection: Connection, levels: Any = (LEVEL,), **other: Any) -> int:
    """A record of the ledger; what is not given is as of a cycle of ten seconds."""
    given = {
        "job": "datamart_users", "started_at": "2026-01-16 03:00Z",
        "finished_at": "2026-01-16 03:00:10Z", "host": "h", "pid": 1, "etl_version": "0",
        "as_of": "2026-01-16", "max_items": 9, "workers": 2, "found": 9, "done": 7, "failed": 1,
        "remaining": 1, "stop_reason": "limit", "levels": json.dumps(levels), **other,
    }  # fmt: skip
    ((cycle_id,),) = connection.execute(
        "INSERT INTO etl.cycle (job, started_at, finished_at, host, pid, etl_version, as_of,"
        " max_items, workers, found, done, failed, remaining, stop_reason, levels, predicted_s)"
        " SELECT r.job, r.started_at, r.finished_at, r.host, r.pid, r.etl_version, r.as_of,"
        " r.max_items, r.workers, r.found, r.done, r.failed, r.remaining, r.stop_reason, r.levels,"
        " r.predicted_s FROM jsonb_populate_record(NULL::etl.cycle, $1::jsonb) AS r"
        " RETURNING cycle_id",
        [json.dumps({**given, "levels": list(levels)})],
    ).fetchall()
    return int(cycle_id)


def add_attempt(connection: Connection, cycle_id: int, **other: Any) -> None:
    """One attempt of a cycle."""
    given = {"item_key": "7", "level": 1, "worker": 1, "outcome": "done", "weight": 3.0,
             "finished_at": "2026-01-16 03:00:02Z", "duration_ms": 5.0, **other}  # fmt: skip
    connection.execute(
        "INSERT INTO etl.attempt (cycle_id, item_key, level, worker, outcome, finished_at,"
        " duration_ms, weight) VALUES ($1, $2, $3, $4, $5, $6::timestamptz, $7, $8)",
        [cycle_id, *(given[name] for name in ("item_key", "level", "worker", "outcome",
                                              "finished_at", "duration_ms", "weight"))],
    )  # fmt: skip


@pytest.fixture
def run_by(connect_again: Callable[[], Connection]) -> Connection:
    """Somebody who holds the lock of the job's cycles."""
    rival = connect_again()
    assert db.one(rival, shipped("lock/try_cycle_lock"), job=JOB)[0]
    return rival


def test_a_cycle_is_the_same_object_in_every_output(connection: Connection, etl: Etl) -> None:
    """Also one that waited, of which two outputs once told two speeds."""
    add(connection)
    connection.execute(
        "UPDATE etl.cycle SET waits = $1::jsonb",
        ['[{"reason": "load", "since": "2026-01-16T03:00:04+00:00", "seconds": 5}]'],
    )
    ((listed,),) = [job["cycles"] for job in told(etl, "history", "history", JOB)["jobs"]]
    assert listed == told(etl, "history", "history", JOB, "--cycle=1")["cycle"]
    assert [listed] == told(etl, "status", "status", JOB)["jobs"][0]["last"]
    assert listed == told(etl, "report", "report", JOB)["cycle"]
    assert (listed["items_per_s"], listed["waited_s"]) == (0.7, 5)
    assert listed["oldest_left_s"] == listed["levels"][0]["oldest_left_s"] == 3610


def test_a_clock_that_was_set_back_makes_no_time_negative(connection: Connection, etl: Etl) -> None:
    """The later cycle is the latest, whatever its host took for the time."""
    for second in (20, 10, 0):
        add(connection, started_at=f"2026-01-16 03:00:{second}Z")
    connection.execute("UPDATE etl.cycle SET finished_at = '2026-01-16 02:59Z'")
    (job,) = told(etl, "history", "history", JOB)["jobs"]
    assert [cycle["cycle_id"] for cycle in job["cycles"]] == [3, 2, 1]
    assert {(c["duration_s"], c["items_per_s"]) for c in job["cycles"]} == {(0, 0)}
    for cycle_id in (1, 2, 3):
        told(etl, "history", "history", JOB, f"--cycle={cycle_id}")
        assert told(etl, "report", "report", JOB, f"--cycle={cycle_id}")["cycle"][
            "cycle_id"
        ] == cycle_id  # fmt: skip
    (status,) = told(etl, "status", "status", JOB)["jobs"]
    assert [cycle["cycle_id"] for cycle in status["last"]] == [3, 2, 1]
    scraped = samples(etl("metrics", JOB).out)
    assert all(value >= 0 for value in scraped.values())
    simulated = etl("simulate", JOB)
    assert (simulated.status, "Traceback" in simulated.err) == (2, False)
    assert "nobody knows how many items become dirty" in simulated.err


def test_the_latest_cycle_is_found_after_a_clock_was_set_back(
    connection: Connection, etl: Etl, run_by: Connection
) -> None:
    for hour in range(4):
        add(connection, started_at=f"2026-01-16 0{hour + 4}:00Z", finished_at="2026-01-16 09:00Z")
    add(connection, started_at="2026-01-16 03:00Z", finished_at=None, stop_reason=None)
    (status,) = told(etl, "status", "status", JOB)["jobs"]
    assert status["running"]["cycle"]["cycle_id"] == 5
    assert "5" in {
        str(row[0]) for row in connection.execute("SELECT cycle_id FROM etl.progress").fetchall()
    }
    assert run_by.info.dsn


@pytest.mark.parametrize("weight", ["NaN", "Infinity", -1.0])
def test_a_weight_that_is_no_number_is_none_in_json(
    connection: Connection, etl: Etl, weight: float
) -> None:
    add_attempt(connection, add(connection), weight=weight)
    for command in (["history", JOB, "--cycle=1"], ["report", JOB]):
        ran = etl(*command, "--json")
        assert ran.status == 0, ran.err
        (slowest,) = json.loads(ran.out, parse_constant=pytest.fail)["slowest"]
        assert slowest["weight"] is None
    for command in (["history", JOB, "--cycle=1"], ["plan", JOB], ["report", JOB, "-o", "-"],
                    ["simulate", JOB, "--arrivals=5"]):  # fmt: skip
        ran = etl(*command)
        assert ran.status == 0, ran.err
        assert "nan" not in ran.out.replace("finance", "")


def test_hardly_any_progress_has_an_end_beyond_the_calendar(
    connection: Connection, etl: Etl, run_by: Connection
) -> None:
    add(
        connection, finished_at=None, stop_reason=None, started_at="2000-01-01", found=10**15,
        max_items=10**15, done=1, failed=0, remaining=10**15 - 1,
    )  # fmt: skip
    (status,) = told(etl, "status", "status", JOB)["jobs"]
    assert (status["running"]["eta"], status["running"]["queued"]) == (None, 10**15)
    assert etl("status", JOB).status == 0
    connection.execute("UPDATE etl.cycle SET done = 0, predicted_s = 1e300")
    (status,) = told(etl, "status", "status", JOB)["jobs"]
    assert status["running"]["eta"] is None
    connection.execute("UPDATE etl.cycle SET predicted_s = 1")
    (status,) = told(etl, "status", "status", JOB)["jobs"]
    assert status["running"]["eta"] == status["asked_at"]
    assert run_by.info.dsn


def test_the_attempts_of_a_running_cycle_are_not_forgotten(
    connection: Connection, etl: Etl
) -> None:
    add(connection, finished_at=None, stop_reason=None)
    said = etl("history", JOB, "--cycle=1").out
    assert "its attempts come into the ledger when its record closes" in said
    assert told(etl, "history", "history", JOB, "--cycle=1")["has_attempts"] is False


def test_an_id_that_no_cycle_can_have_is_one_clear_error(dsn: str, etl: Etl) -> None:
    for command in ("history", "report"):
        ran = etl(command, JOB, f"--cycle={2**63}", "--json")
        assert (ran.status, ran.out) == (2, "")
        assert "--cycle" in ran.err
        assert "Traceback" not in ran.err


def test_a_cycle_that_ends_while_it_is_looked_at_was_not_cut_off(
    connection: Connection, etl: Etl, run_by: Connection, connect_again: Callable[[], Connection]
) -> None:
    """The backlog is counted meanwhile, which takes long where the warehouse is large."""
    add(connection, finished_at=None, stop_reason=None)
    loader = connect_again()
    with ThreadPoolExecutor() as aside, connection.transaction():
        connection.execute("LOCK TABLE dwh.dimension_users")
        asked = aside.submit(told, etl, "status", "status", JOB)
        while not loader.execute(
            "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = $1::regclass",
            ["dwh.dimension_users"],
        ).fetchall():
            pass
        loader.execute("UPDATE etl.cycle SET finished_at = now(), stop_reason = 'limit'")
        run_by.close()
    (status,) = asked.result()["jobs"]
    assert (status["cut_off"], status["running"]["cycle"]["cycle_id"]) == (None, 1)
    (status,) = told(etl, "status", "status", JOB)["jobs"]
    assert (status["cut_off"], status["running"]) == (None, None)


def test_a_plan_knows_a_level_that_has_no_name_and_that_it_takes_whole(
    etl: Etl, tmp_path: Path
) -> None:
    folder = tmp_path / "jobs" / "tally"
    folder.mkdir(parents=True)
    dirty = "FROM (VALUES ('a'), ('b')) AS v (item_key)"
    for name, text in {
        "job.toml": 'title = "Tally"\nunit = "thing"\nacknowledge = "statement"\n',
        "process.sql": "SELECT :'item_key';\n",
        "backlog.sql": f"SELECT 3 AS level, count(*) AS items, now() AS oldest_dirty_at {dirty};\n",
        "prioritize.sql": f"SELECT item_key, 3 AS level {dirty} ORDER BY 1 LIMIT :max_items;\n",
        "freshness.sql": "SELECT 3 AS level, count(*) AS items, now() AS oldest_dirty_at,"
        f" now() AS p95, now() AS p50 {dirty}"
        " WHERE item_key <> ALL (CAST(:'without' AS text[])) HAVING count(*) > 0;\n",
    }.items():
        (folder / name).write_text(text)
    for most, cut_off in ((2, 0), (1, 1)):
        ran = etl("plan", "tally", f"--max-items={most}", "--json", ETL_JOBS_DIR=str(folder.parent))
        assert ran.status == 0, ran.err
        (level,) = json.loads(ran.out)["levels"]
        assert (level["level"], level["queued"], level["cut_off"]) == (3, most, cut_off)
