"""An operator's say in a cycle that runs elsewhere: pause, resume, cancel, workers; and health."""

import signal
import threading
from typing import Any

import psycopg
import pytest

from etl.cycle import health
from etl.db import Connection
from tests.conftest import Connect, Etl
from tests.faults.conftest import AS_OF, USERS, Run, Start, wait_until_at_gate
from tests.gates import GATE, open_gate
from tests.integration.test_desk import told
from tests.support import dirty
from tests.tally import Tally
from tests.waiting import WAITS_AT_GATE, WAITS_FOR_LOCK, until, until_found

JOB = "datamart-users"


def one(connection: Connection, text: str) -> Any:
    return connection.execute(text.encode()).fetchall()[0][0]


def wait_for(connection: Connection, text: str, value: object) -> None:
    until(lambda: one(connection, text) == value)


def wait_for_progress(connection: Connection) -> None:
    """Wait until the running cycle has told of itself twice more."""
    for _ in range(2):
        before = one(connection, "SELECT CAST(waits AS text) FROM etl.cycle")
        until_found(connection, "SELECT FROM etl.cycle WHERE CAST(waits AS text) <> $1", [before])


def test_a_paused_cycle_claims_nothing_until_it_is_resumed(
    run: Run, gate: Connection, etl: Etl
) -> None:
    paused = told(etl, "control", "pause", JOB, "--reason=backup")
    assert (paused["cycle_id"], paused["paused_until"]) == (1, None)
    run.wait_for("claiming nothing for now: paused: backup")
    open_gate(gate)
    # That at the gate is the third; another one may have been in hand behind it.
    wait_for(gate, "SELECT done >= 3 FROM etl.cycle", True)
    wait_for_progress(gate)
    done = one(gate, "SELECT done FROM etl.cycle")
    wait_for_progress(gate)
    assert one(gate, "SELECT done FROM etl.cycle") == done < len(USERS)
    assert one(gate, "SELECT waits_for FROM etl.progress") == "paused: backup"
    (status,) = told(etl, "status", "status", JOB, AS_OF)["jobs"]
    assert status["running"]["cycle"]["waits_for"] == "paused: backup"
    assert "it waits: paused: backup" in etl("status", AS_OF).out
    assert told(etl, "control", "resume", JOB)["result"] == "resumed"
    record = run.ended(0, "claiming again, after").record
    assert (record["done"], record["stop_reason"], dirty(gate)) == (len(USERS), "drained", set())
    ((waits, waits_for),) = gate.execute("SELECT waits, waits_for FROM etl.cycle").fetchall()
    assert [wait["reason"] for wait in waits] == ["paused: backup"]
    assert waits_for is None
    assert record["waited_s"] == pytest.approx(waits[0]["seconds"], abs=0.001)
    assert record["waited_s"] > 0


@pytest.mark.parametrize("how", ["signal", "cancel"])
def test_a_paused_cycle_can_be_ended(run: Run, gate: Connection, etl: Etl, how: str) -> None:
    etl("pause", JOB)
    run.wait_for("claiming nothing for now: paused")
    open_gate(gate)
    if how == "signal":
        run.process.send_signal(signal.SIGTERM)
    else:
        assert etl("cancel", JOB).out.startswith("User datamarts: is being cancelled; cycle 1")
    status, reason = (128 + signal.SIGTERM, "stopped") if how == "signal" else (0, "cancelled")
    run.ended(status, stop_reason=reason)


@pytest.mark.parametrize("queue", ["file", "postgres"])
def test_a_session_that_the_server_ends_because_it_was_idle_costs_nobody_an_attempt(
    start: Start, gate: Connection, connection: Connection, etl: Etl, queue: str
) -> None:
    # Twice as long as the supervisor is ever silent.
    connection.execute(
        f'ALTER DATABASE "{connection.info.dbname}" SET idle_session_timeout = 2000'.encode()
    )
    run = start("--workers=1", f"--queue={queue}")
    wait_until_at_gate(gate)
    etl("pause", JOB)
    run.wait_for("claiming nothing for now: paused")
    open_gate(gate)
    workers = (
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'etl:datamart-users w1'"
    )
    wait_for(connection, workers, 0)
    etl("resume", JOB)
    run.ended(0, done=len(USERS), failed=0)


def test_the_time_limit_ends_a_paused_cycle(start: Start, gate: Connection, etl: Etl) -> None:
    run = start("--workers=1", "--time-limit=9s")
    wait_until_at_gate(gate)
    etl("pause", JOB)
    run.wait_for("claiming nothing for now: paused")
    open_gate(gate)
    record = run.ended(0, stop_reason="time limit").record
    assert record["found"] == record["done"] + record["remaining"] > record["done"] >= 3


def test_a_cycle_that_begins_while_its_job_is_paused_ends_at_once(
    gate: Connection, etl: Etl
) -> None:
    until = told(etl, "control", "pause", JOB, "--for=1h")["paused_until"]
    assert until is not None
    etl(JOB, AS_OF, "--json").ended(
        0, "claiming nothing for now: paused", stop_reason="paused", found=6, claimed=0, remaining=6
    )
    user = one(gate, "SELECT dimension_user_id FROM dwh.dimension_users WHERE username = 'user0'")
    asked = etl(JOB, AS_OF, f"--user={user}", "--json")
    assert (asked.status, asked.record["done"]) == (0, 1)  # a person asked for it
    gate.execute("UPDATE etl.control SET paused_until = now()")
    open_gate(gate)
    assert etl(JOB, AS_OF, "--json").record["done"] == 5


@pytest.mark.parametrize("is_now", [False, True], ids=["drained", "now"])
def test_a_cancelled_cycle_leaves_the_rest(
    run: Run, gate: Connection, etl: Etl, is_now: bool
) -> None:
    cancelled = told(etl, "control", "cancel", JOB, *(["--now"] if is_now else []))
    assert cancelled["cycle_id"] == 1
    run.wait_for("cancelled by an operator")
    if not is_now:
        open_gate(gate)
    record = run.ended(0, stop_reason="cancelled").record
    assert record["done"] + record["remaining"] == len(USERS)
    assert record["done"] == 2 if is_now else 3 <= record["done"] < len(USERS)
    open_gate(gate)
    # It was that cycle which was cancelled, not the next one.
    assert etl(JOB, AS_OF, "--json").record["stop_reason"] == "drained"


def test_a_running_cycle_gets_more_and_fewer_workers(
    start: Start, gate: Connection, connection: Connection, etl: Etl
) -> None:
    connection.execute(
        "CREATE OR REPLACE TRIGGER wait_at_gate BEFORE INSERT OR UPDATE ON dwh.datamart_users"
        " FOR EACH ROW EXECUTE FUNCTION wait_at_gate()"
    )
    run = start("--workers=1")
    wait_until_at_gate(gate)
    assert told(etl, "control", "workers", JOB, "3")["result"] == "will have 3 workers"
    until_found(gate, WAITS_AT_GATE, rows=3)
    etl("workers", JOB, "1")
    wait_for(gate, "SELECT workers FROM etl.cycle", 1)
    etl("workers", JOB, "2")  # while the second still finishes its item
    wait_for(gate, "SELECT workers FROM etl.cycle", 2)
    open_gate(gate)
    run.ended(0, done=len(USERS), workers=2)


def test_without_a_running_cycle_there_is_nothing_to_cancel_or_to_change(
    gate: Connection, etl: Etl
) -> None:
    assert told(etl, "control", "cancel", JOB) == {
        "job": "datamart_users",
        "result": "nothing to cancel",
        "cycle_id": None,
        "paused_until": None,
    }
    assert "nothing to change; no cycle runs now" in etl("workers", JOB, "4").out
    assert "was not paused; no cycle runs now" in etl("resume", JOB).out
    assert one(gate, "SELECT count(*) FROM etl.control") == 0


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["pause", JOB, "--for=soon"], "--for must be a duration"),
        (["pause", JOB, "--reason=two\nlines"], "--reason must be one line"),
        (["pause", "nothing"], "there is no job nothing"),
        (["workers", JOB, "0"], "0 is not in the range"),
    ],
)
def test_what_makes_no_sense_is_one_clear_error(
    dsn: str, etl: Etl, arguments: list[str], problem: str
) -> None:
    etl(*arguments).ended(2, problem)


def test_sessions_that_wait_for_a_lock_are_seen(
    gate: Connection, connection: Connection, connect_again: Connect
) -> None:
    connection.execute("CREATE TABLE wanted (n integer)")
    connection.execute("GRANT ALL ON wanted TO PUBLIC")
    holder, waiter = connect_again(), connect_again()
    holder.execute("BEGIN")
    holder.execute("LOCK TABLE wanted")

    def wait() -> None:
        with pytest.raises(psycopg.errors.QueryCanceled):
            waiter.execute("SELECT FROM wanted")

    waiting = threading.Thread(target=wait)
    before = health.look(gate)
    waiting.start()
    until_found(gate, WAITS_FOR_LOCK)
    seen = health.look(gate, waiting_s=0.0)
    waiter.cancel_safe()
    waiting.join()
    assert (before.waiting_sessions, seen.waiting_sessions) == (0, 1)
    assert seen.wal_bytes >= before.wal_bytes > 0


def test_a_bad_signal_pauses_the_cycle_with_its_reason(
    start: Start, tally: Tally, connect_again: Connect
) -> None:
    """Any WAL at all is too much for this job; its own progress is some."""
    limits = '[defaults]\nlock_timeout = "60s"\n[health]\nwal_mb_per_s = 1e-9'
    tally.write("job.toml", f'title = "Tally"\nunit = "thing"\n{limits}')
    tally.write(
        "process.sql",
        "UPDATE thing SET dirty = FALSE WHERE key = :'item_key'"
        f" AND pg_advisory_xact_lock_shared({GATE}) IS NOT NULL",
    )
    tally.add("a", "b", "c")
    keeper = connect_again()
    keeper.execute("SELECT pg_advisory_lock($1)", [GATE])
    folder = str(tally.folder.parent)
    run = start("--workers=1", "--time-limit=15s", job="tally", ETL_JOBS_DIR=folder)
    run.wait_for("MB of WAL a second (limit 1e-09)")
    keeper.execute("SELECT pg_advisory_unlock($1)", [GATE])
    record = run.ended(0).record
    assert record["done"] >= 1
    assert record["waited_s"] > 0
    assert "MB of WAL" in one(tally.connection, "SELECT waits -> 0 ->> 'reason' FROM etl.cycle")
