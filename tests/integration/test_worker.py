"""``etl worker``: a crew beside a cycle, on one host; several hosts are in tests/faults/outages."""

import os
import signal

import pytest
from psycopg.conninfo import make_conninfo

from etl.db import Connection
from tests.conftest import READER, Etl, runner
from tests.faults.conftest import Run, Start, gate, run, runs, start, start_crew, wait_until_at_gate
from tests.gates import GATE, open_gate
from tests.shapes import assert_exact
from tests.waiting import WAITS_AT_GATE, until, until_found

_ = (gate, run, runs, start, start_crew)
_BY_WORKER = """
SELECT worker, count(*)::integer FROM etl.attempt WHERE outcome = 'done'
GROUP BY worker ORDER BY worker
"""
POSTGRES = ("--queue=postgres", "--workers=1")


def test_where_no_cycle_runs_that_is_said_and_all_is_well(etl: Etl) -> None:
    ran = etl("worker", "datamart-users", "--json").ended(0, cycles=[])
    assert ran.err == "etl: no cycle of datamart-users runs with --queue postgres\n"


def test_a_cycle_with_a_file_queue_cannot_be_joined(run: Run, gate: Connection, etl: Etl) -> None:
    said = "no cycle of datamart-users runs with --queue postgres"
    assert said in etl("worker", "datamart-users").err
    open_gate(gate)
    run.ended(0)


@pytest.mark.parametrize(
    "command", [("datamart-users", "--queue=postgres"), ("worker", "datamart-users", "--follow")]
)
@pytest.mark.parametrize("time", ["soon", "0s", "999ms"])
def test_a_wrong_host_timeout_is_refused_before_anything_begins(
    environment: dict[str, str], dsn: str, connection: Connection, command: list[str], time: str
) -> None:
    ran = runner({**environment, "ETL_DSN": dsn, "HOST_TIMEOUT": time})(*command).ended(2)
    assert ran.err.startswith("etl: HOST_TIMEOUT must be ")
    assert connection.execute("SELECT FROM etl.cycle").rowcount == 0


def test_who_may_only_read_is_told_so_before_a_cycle_begins(
    environment: dict[str, str], dsn: str
) -> None:
    reading = make_conninfo(dsn, user=READER)
    runner({**environment, "ETL_DSN": reading})("worker", "datamart-users", "--follow").ended(
        2, "etl: this login may not take part in a cycle\n"
    )


def test_auto_begins_with_as_many_workers_as_without(etl: Etl) -> None:
    told = [etl("worker", "datamart-users", "--json", *more) for more in ((), ("--workers=auto",))]
    assert told[0].out == told[1].out
    assert etl("worker", "datamart-users", "--workers=1000").status == 2


_BECAME_DIRTY = "UPDATE dwh.dimension_users SET modified = TRUE"


def test_who_follows_takes_part_in_one_cycle_after_the_other_until_a_signal(
    start: Start, gate: Connection, start_crew: Start
) -> None:
    """And tells of each cycle what was done there."""
    crew = start_crew("--follow", "--workers=1")
    crew.wait_for("waiting for a cycle with --queue postgres")
    for _ in range(2):
        gate.execute(_BECAME_DIRTY.encode())
        run = start(*POSTGRES)
        crew.wait_for("taking part in cycle")
        wait_until_at_gate(gate)
        until(lambda: gate.execute("SELECT FROM etl.queue_item").rowcount == 1)
        open_gate(gate)
        line = crew.wait_for("worker 1001: finished, ")
        here = int(line.split("finished, ")[1].split()[0])
        cycle_id = run.ended(0, done=6).record["cycle_id"]
        shares = "SELECT count(*) FROM etl.attempt WHERE worker = 1001 AND cycle_id = $1"
        assert gate.execute(shares.encode(), [cycle_id]).fetchall() == [(here,)]
        gate.execute("SELECT pg_advisory_lock($1)", [GATE])
    crew.process.terminate()
    assert len(crew.ended(128 + signal.SIGTERM).record["cycles"]) == 2


def test_a_crew_does_its_share_and_tells_it_as_the_schema_says(
    start: Start, gate: Connection, start_crew: Start
) -> None:
    run = start(*POSTGRES)
    wait_until_at_gate(gate)
    crew = start_crew("--workers=2")
    until_found(gate, "SELECT FROM etl.attempt", rows=5, running=crew.process)
    open_gate(gate)
    told = crew.ended(0).record
    assert_exact("worker", told)
    run.ended(0, done=6)
    by_worker = gate.execute(_BY_WORKER.encode()).fetchall()
    shares = sum(done for worker, done in by_worker if worker > 1000)
    assert (told["cycles"][0]["done"], shares) == (3, 3)
    left = "SELECT FROM etl.queue_item UNION ALL SELECT FROM etl.queue_outcome"
    assert gate.execute(left.encode()).rowcount == 0


def test_a_pause_and_a_cancellation_reach_a_crew(
    start: Start, gate: Connection, etl: Etl, start_crew: Start
) -> None:
    run = start(*POSTGRES)
    wait_until_at_gate(gate)
    assert etl("pause", "datamart-users").status == 0
    crew = start_crew("--workers=1")
    crew.wait_for("paused")
    assert etl("cancel", "datamart-users").status == 0
    assert len(crew.ended(0).record["cycles"]) == 1
    open_gate(gate)
    run.ended(0, stop_reason="cancelled")


def test_a_crew_that_stands_still_is_not_waited_for(
    start: Start, gate: Connection, start_crew: Start
) -> None:
    """Its processes are stopped: the kernel goes on answering for them."""
    run = start(*POSTGRES, HOST_TIMEOUT="1s")
    wait_until_at_gate(gate)
    crew = start_crew("--workers=1")
    until_found(gate, "SELECT FROM etl.crew", running=crew.process)
    os.kill(crew.process.pid, signal.SIGSTOP)
    open_gate(gate)
    run.ended(0, done=6)


def test_a_crew_tells_of_the_item_that_its_dead_worker_had(
    start: Start, connection: Connection, gate: Connection, start_crew: Start
) -> None:
    """As the cycle does: the same counts, the same exit status."""
    connection.execute(
        b"CREATE TRIGGER all_wait BEFORE INSERT OR UPDATE ON dwh.datamart_users FOR EACH ROW"
        b" EXECUTE FUNCTION wait_at_gate()"
    )
    run = start(*POSTGRES)
    wait_until_at_gate(gate)
    crew = start_crew("--workers=1")
    until_found(gate, WAITS_AT_GATE, rows=2, running=crew.process)
    (worker,) = crew.workers()
    os.kill(worker, signal.SIGKILL)
    orphaned = "SELECT FROM etl.attempt WHERE outcome = 'orphaned'"
    until_found(gate, orphaned, running=crew.process)
    open_gate(gate)
    assert crew.ended(1).record["cycles"][0]["orphaned"] == 1
    run.ended(1, orphaned=1)
