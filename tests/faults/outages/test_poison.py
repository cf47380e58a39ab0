"""An item that kills its server process or its worker costs itself attempts, nobody else."""

import os
import signal

import pytest

from etl.db import Connection
from tests.conftest import Etl
from tests.faults.conftest import AS_OF, USERS, Run, Start, wait_until_at_gate
from tests.faults.outages.conftest import Cycles, all_wait_at_the_gate
from tests.faults.servers import OwnServer
from tests.faults.sums import wrong_sums
from tests.gates import open_gate
from tests.support import dirty
from tests.waiting import until, until_found, until_gone

MAX_ATTEMPTS = 5
WAITING = (
    "SELECT a.pid FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid"
    " WHERE l.locktype = 'advisory' AND NOT l.granted ORDER BY a.application_name"
)


def end_session(gate: Connection, backend: int) -> None:
    """End a server process that waits at the gate and has not noticed that its client is gone."""
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1"
    until_gone(gate, end, [backend])


def test_a_killed_server_process_costs_its_own_item_an_attempt_and_no_other(
    start: Start, gate: Connection, server: OwnServer, cycles: Cycles
) -> None:
    all_wait_at_the_gate(gate)
    run = start("--workers=2")
    waiting = until_found(gate, WAITING, rows=2, running=run.process)
    server.kill_backend(waiting[0][0])  # of worker 1; the server ends that of worker 2 as well
    run.ended(1, done=5, failed=1, orphaned=0)
    ((name, attempts, state, is_quarantined),) = cycles.held()
    assert name in USERS
    assert (attempts, state, is_quarantined) == (1, "08006", False)
    assert dirty(cycles.connect()) == {name}
    cycles.assert_the_next_needs_no_clean_up()


def test_an_item_that_kills_its_server_process_is_quarantined(
    gate: Connection, server: OwnServer, cycles: Cycles, etl: Etl
) -> None:
    open_gate(gate)
    # The program that COPY starts is a child of the server process. Only a superuser may.
    gate.execute(
        "CREATE OR REPLACE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql"
        " SECURITY DEFINER AS"
        " $$ BEGIN COPY (SELECT 1) TO PROGRAM 'kill -9 $PPID'; RETURN NEW; END $$"
    )
    for attempt in range(1, MAX_ATTEMPTS + 1):
        ran = etl("datamart-users", AS_OF, "--workers=2", "--json").ended(
            1, failed=1, orphaned=0, remaining=0
        )
        assert ran.record["done"] == ran.record["found"] - 1
        is_last = attempt == MAX_ATTEMPTS
        assert cycles.held() == [("user2", attempt, "08006", is_last)]
        # The crash takes back what was committed just before it. That costs no attempt.
        assert {"user2"} <= dirty(cycles.connect()) <= set(USERS)
        cycles.forget_the_wait()
    etl("datamart-users", AS_OF, "--json").ended(3, failed=0)
    assert dirty(cycles.connect()) == {"user2"}
    assert wrong_sums(cycles.connect()) == []


def kill_the_last_worker(run: Run) -> None:
    """A second one does the others, and ends."""
    until(lambda: len(run.workers()) == 1, run.process)
    os.kill(run.workers()[0], signal.SIGKILL)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_item_that_kills_its_worker_is_quarantined(
    start: Start, gate: Connection, cycles: Cycles, workers: int
) -> None:
    for attempt in range(1, MAX_ATTEMPTS + 1):
        run = start(f"--workers={workers}")
        backend = wait_until_at_gate(gate)
        kill_the_last_worker(run)
        end_session(gate, backend)
        run.ended(1, failed=0, orphaned=1, remaining=0, done=5 if attempt == 1 else 0)
        assert dirty(gate) == {"user2"}
        assert cycles.held() == [("user2", attempt, None, attempt == MAX_ATTEMPTS)]
        cycles.forget_the_wait()
    start().ended(3, found=0)


def test_an_item_that_kills_every_worker_in_turn_does_not_eat_the_cycle(
    start: Start, gate: Connection, cycles: Cycles
) -> None:
    all_wait_at_the_gate(gate)
    run = start("--workers=1")
    for _ in USERS[:4]:  # the first four items kill their workers
        backend = wait_until_at_gate(gate)
        (worker,) = run.workers()
        os.kill(worker, signal.SIGKILL)
        end_session(gate, backend)
    wait_until_at_gate(gate)
    open_gate(gate)
    err = run.ended(1, done=2, orphaned=4, remaining=0).err
    assert err.count("died of SIGKILL, replaced") == 4
    assert dirty(gate) == set(USERS[:4])
    assert [name for name, *_ in cycles.held()] == USERS[:4]
    cycles.assert_the_next_needs_no_clean_up()
