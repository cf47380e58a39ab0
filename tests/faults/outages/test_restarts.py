"""The server goes down in mid-item: the cycle waits for it, goes on, and blames nobody."""

from collections.abc import Generator
from pathlib import Path

import pytest

from etl.db import Connection
from tests.conftest import Etl
from tests.faults.conftest import AS_OF, Start, wait_until_at_gate
from tests.faults.outages.conftest import (
    Cycles,
    keep_gate_over_restarts,
    queue_lock,
    wait_until_waiting_for_lock,
)
from tests.faults.proxy import Proxy
from tests.faults.servers import Mode, OwnServer
from tests.gates import open_gate
from tests.support import dirty, user_ids
from tests.waiting import WAITS_FOR_LOCK, until, until_found

HOLDS_THE_LOCK = (
    "SELECT FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid"
    " WHERE a.application_name = 'etl:datamart-users' AND l.locktype = 'advisory' AND l.granted"
)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_restart_in_mid_item_costs_nobody_an_attempt(
    start: Start, gate: Connection, server: OwnServer, cycles: Cycles, mode: Mode, workers: int
) -> None:
    run = start(f"--workers={workers}")
    wait_until_at_gate(gate)
    until(lambda: workers == 1 or len(dirty(gate)) == 1)  # the second does the others, and ends
    gate.execute("CHECKPOINT")  # what is done so far shall survive a crash, too
    server.restart(mode)
    run.ended(0, done=6, failed=0, orphaned=0)
    assert cycles.ledger() == [(6, 6, 0, 0, 0, 0, "drained")]
    assert cycles.held() == []
    assert dirty(cycles.connect()) == set()
    cycles.assert_the_next_needs_no_clean_up()


def test_a_server_that_is_away_for_a_while_is_waited_for(
    start_by_proxy: Start, gate: Connection, server: OwnServer, proxy: Proxy, cycles: Cycles
) -> None:
    run = start_by_proxy("--workers=1")
    wait_until_at_gate(gate)
    server.stop("fast")
    tried = proxy.accepted
    until(lambda: proxy.accepted >= tried + 3, run.process)  # it has come in vain three times
    server.start()
    run.ended(0, done=6)
    assert cycles.held() == []
    cycles.assert_the_next_needs_no_clean_up()


def test_the_lock_is_taken_again_after_a_restart(
    start: Start, gate: Connection, server: OwnServer, cycles: Cycles, etl: Etl, tmp_path: Path
) -> None:
    keep_gate_over_restarts(gate)
    run = start("--workers=1")
    wait_until_at_gate(gate)
    server.restart("fast")
    again = cycles.connect()
    until_found(again, HOLDS_THE_LOCK, running=run.process)
    wait_until_at_gate(again)
    etl("datamart-users", AS_OF, ETL_STATE_DIR=str(tmp_path / "another host")).ended(75)
    again.execute("ROLLBACK PREPARED 'gate'")
    run.ended(0, done=6)
    cycles.assert_the_next_needs_no_clean_up()


@pytest.fixture
def unflushed(server: OwnServer) -> Generator[None]:
    """Nothing is flushed but by a synchronous commit."""
    server.set("wal_writer_delay", "10s")
    yield
    server.set("wal_writer_delay", "200ms")


@pytest.mark.usefixtures("unflushed")
def test_done_items_that_a_crash_takes_back_are_done_again_and_counted_once(
    start: Start, gate: Connection, server: OwnServer, cycles: Cycles
) -> None:
    gate.execute("CHECKPOINT")
    run = start("--workers=1")
    wait_until_at_gate(gate)
    server.restart("immediate")
    run.ended(0, "the server has crashed; what it has lost is done again: 2 users", done=6)
    assert cycles.held() == []
    assert cycles.ledger() == [(6, 6, 0, 0, 0, 0, "drained")]
    done = cycles.connect().execute("SELECT item_key FROM etl.attempt").fetchall()
    assert len(done) == len(set(done)) == 6
    assert dirty(cycles.connect()) == set()
    cycles.assert_the_next_needs_no_clean_up()


@pytest.mark.usefixtures("unflushed")
def test_a_crash_when_the_workers_have_ended_takes_nothing_back(
    start: Start, gate: Connection, server: OwnServer, cycles: Cycles
) -> None:
    open_gate(gate)
    gate.execute("CHECKPOINT")
    rival = cycles.connect()
    rival.execute("BEGIN")
    rival.execute("LOCK TABLE etl.attempt IN EXCLUSIVE MODE")  # the record cannot be closed
    run = start("--workers=2")
    until_found(gate, WAITS_FOR_LOCK, running=run.process)
    server.restart("immediate")
    run.ended(0, done=6)
    assert dirty(cycles.connect()) == set()
    assert cycles.ledger() == [(6, 6, 0, 0, 0, 0, "drained")]


@pytest.mark.usefixtures("unflushed")
def test_a_crash_before_the_worker_has_ended_is_noticed(
    start: Start, gate: Connection, server: OwnServer, cycles: Cycles, environment: dict[str, str]
) -> None:
    third = user_ids(gate)["user2"]
    gate.execute("CHECKPOINT")
    run = start(f"--user={third}")
    wait_until_at_gate(gate)
    (worker,) = run.workers()
    with queue_lock(environment) as path:
        open_gate(gate)
        wait_until_waiting_for_lock(worker, path)  # it is done, and wants to say so
        server.restart("immediate")
    run.ended(0, "what it has lost is done again: 1 user", done=1)
    assert "user2" not in dirty(cycles.connect())
