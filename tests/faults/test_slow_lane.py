"""Who runs into the statement timeout comes again at the end of the cycle, with a longer one."""

import os
import signal

import pytest

from etl.db import Connection
from tests.conftest import Connect, Etl
from tests.faults.conftest import Run, Start, wait_until_at_gate
from tests.gates import GATE, open_gate, shut_gate
from tests.tally import Tally
from tests.waiting import until_found


@pytest.fixture
def lanes(tally: Tally, connect_again: Connect) -> Connection:
    """Things of which ``slow`` waits at a gate. Returns who holds the gate."""
    tally.work(
        f"IF name = 'b slow' THEN PERFORM pg_advisory_xact_lock_shared({GATE}); END IF;"
        " UPDATE thing SET dirty = FALSE WHERE key = name;"
    )
    tally.add("a", "b slow", "c")
    keeper = connect_again()
    shut_gate(keeper)
    return keeper


def timeouts(tally: Tally, ordinary: str, slow: str) -> None:
    tally.write(
        "job.toml",
        'title = "Tally"\nunit = "thing"\n[defaults]\n'
        f'statement_timeout = "{ordinary}"\nslow_statement_timeout = "{slow}"\n'
        'lock_timeout = "1h"',
    )


def begin(start: Start, tally: Tally, *more: str) -> Run:
    return start("--workers=1", *more, job="tally", ETL_JOBS_DIR=str(tally.folder.parent))


def attempts(connection: Connection) -> list[tuple[str, str, str | None]]:
    return connection.execute(
        "SELECT item_key, outcome, sqlstate FROM etl.attempt ORDER BY finished_at, item_key"
    ).fetchall()


@pytest.mark.usefixtures("each_queue")
def test_it_is_done_after_the_others_and_has_one_attempt(
    start: Start, lanes: Connection, tally: Tally
) -> None:
    timeouts(tally, "200ms", "10min")
    run = begin(start, tally)
    run.wait_for("thing b slow comes again at the end of the cycle: canceling statement")
    open_gate(lanes)
    run.ended(0, found=3, done=3)
    done = [("a", "done", None), ("c", "done", None), ("b slow", "done", None)]
    assert attempts(tally.connection) == done


def test_one_that_is_too_slow_there_too_has_failed(
    start: Start, lanes: Connection, tally: Tally
) -> None:
    timeouts(tally, "100ms", "300ms")
    begin(start, tally).ended(1, done=2, failed=1, held=1)
    assert attempts(tally.connection)[-1] == ("b slow", "failed", "57014")
    lasted = "SELECT duration_ms >= 300 FROM etl.attempt WHERE outcome = 'failed'"
    assert tally.connection.execute(lasted).fetchall() == [(True,)]


def test_there_is_no_second_try_where_it_would_not_be_longer(
    start: Start, lanes: Connection, tally: Tally
) -> None:
    timeouts(tally, "100ms", "100ms")
    assert "comes again" not in begin(start, tally).ended(1).err
    assert attempts(tally.connection)[1] == ("b slow", "failed", "57014")


@pytest.mark.usefixtures("each_queue")
def test_one_whose_second_try_never_came_has_failed(
    start: Start, lanes: Connection, tally: Tally
) -> None:
    timeouts(tally, "2s", "10min")
    run = begin(start, tally)
    wait_until_at_gate(lanes)
    os.kill(run.process.pid, signal.SIGTERM)
    said = "the cycle ended before it came again [57014]"
    run.ended(128 + signal.SIGTERM, said, done=1, failed=1, remaining=1, held=1)


@pytest.mark.usefixtures("each_queue")
def test_a_statement_that_a_dba_cancels_is_no_slow_one(
    start: Start, lanes: Connection, tally: Tally
) -> None:
    timeouts(tally, "1h", "2h")
    run = begin(start, tally)
    backend = wait_until_at_gate(lanes)
    tally.connection.execute("SELECT pg_cancel_backend($1)", [backend])
    run.ended(1, "b slow failed: canceling statement due to user request [57014]", failed=1)


@pytest.mark.usefixtures("each_queue")
def test_no_claim_is_made_after_the_time_limit(
    start: Start, lanes: Connection, tally: Tally
) -> None:
    timeouts(tally, "1h", "2h")
    run = begin(start, tally, "--time-limit=9s")
    wait_until_at_gate(lanes)
    is_over = "SELECT FROM etl.cycle WHERE now() > started_at + interval '9 s'"
    until_found(tally.connection, is_over)
    open_gate(lanes)
    run.ended(0, stop_reason="time limit", done=2, remaining=1)
    assert attempts(tally.connection) == [("a", "done", None), ("b slow", "done", None)]


@pytest.mark.parametrize("from_where", ["flag", "environment", "job.toml"])
def test_a_time_limit_ends_the_prioritization_too(tally: Tally, etl: Etl, from_where: str) -> None:
    tally.add("a")
    listing = "SELECT key AS item_key, level FROM thing, pg_sleep(3600) LIMIT :max_items"
    tally.write("prioritize.sql", listing)
    flags = ["--time-limit=900ms"] if from_where == "flag" else []
    environment = {"CYCLE_TIME_LIMIT": "900ms"} if from_where == "environment" else {}
    if from_where == "job.toml":
        tally.write("job.toml", 'title = "T"\nunit = "thing"\n[defaults]\ntime_limit = "900ms"')
    etl("tally", "--json", *flags, ETL_JOBS_DIR=str(tally.folder.parent), **environment).ended(
        0, stop_reason="time limit", remaining=1
    )
