"""SIGKILL at each step of a worker and of its supervisor; no process is left, nothing is lost."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from etl.db import Connection
from tests.faults.conftest import (
    USERS,
    Run,
    Start,
    kill_whole_cycle,
    wait_until_at_gate,
    wait_until_disconnected,
    wait_until_gone,
)
from tests.faults.outages.conftest import (
    Cycles,
    journal_of,
    queue_lock,
    wait_until_waiting_for_lock,
)
from tests.faults.servers import OwnServer
from tests.faults.sums import wrong_sums
from tests.gates import open_gate
from tests.support import dirty, user_ids
from tests.waiting import WAITS_FOR_LOCK, until, until_found


def kill_worker(run: Run) -> list[int]:
    """SIGKILL the only worker; its supervisor goes on."""
    (worker,) = run.workers()
    os.kill(worker, signal.SIGKILL)
    wait_until_gone(worker)
    return [worker]


def kill_supervisor(run: Run) -> list[int]:
    """SIGKILL the supervisor; its workers go on until they notice. Returns them."""
    workers = run.workers()
    run.process.kill()
    run.process.wait()
    return workers


Kill = Callable[[Run], list[int]]
KILLS = [kill_worker, kill_supervisor, kill_whole_cycle]


def wait_until_claimed(journal: Path, item: int) -> None:
    until(lambda: f"\t{item}\n" in journal.read_text())


def assert_nothing_is_left(workers: list[int], connection: Connection) -> None:
    for pid in workers:
        wait_until_gone(pid)
    wait_until_disconnected(connection)


@pytest.mark.parametrize("kill", KILLS)
def test_a_kill_after_the_claim_and_before_the_statement_costs_at_most_that_item(
    run: Run,
    gate: Connection,
    server: OwnServer,
    cycles: Cycles,
    environment: dict[str, str],
    kill: Kill,
) -> None:
    backend = wait_until_at_gate(gate)
    fourth = user_ids(gate)["user3"]
    with queue_lock(environment) as lock:
        open_gate(gate)
        wait_until_waiting_for_lock(run.workers()[0], lock)  # it has the answer for user2
        server.suspend(backend)  # what it sends from now on is not read
    wait_until_claimed(journal_of(environment), fourth)
    workers = kill(run)
    gate.execute("SELECT pg_terminate_backend($1)", [backend])
    server.resume_all()
    ran = run.end()
    assert_nothing_is_left(workers, gate)
    if kill is kill_worker:
        ran.ended(1, done=5, orphaned=1, remaining=0)
        assert dirty(gate) == {"user3"}
    else:
        assert dirty(gate) == set(USERS[3:])
    cycles.assert_the_next_needs_no_clean_up()


@pytest.mark.parametrize("kill", KILLS)
def test_a_kill_after_the_commit_and_before_the_acknowledgement_repeats_nothing(
    run: Run, gate: Connection, cycles: Cycles, environment: dict[str, str], kill: Kill
) -> None:
    with queue_lock(environment):
        open_gate(gate)
        until(lambda: "user2" not in dirty(gate), run.process)
        workers = kill(run)
    ran = run.end()
    assert_nothing_is_left(workers, gate)
    if kill is kill_worker:
        ran.ended(1, done=5, orphaned=1, remaining=0)
        assert cycles.held() == [("user2", 1, None, False)]
        assert dirty(gate) == set()  # the orphan was committed
        cycles.assert_the_next_needs_no_clean_up()
    else:
        # A worker that outlives its supervisor still tells what it has committed; until it has
        # noticed, it goes on.
        rest = dirty(gate)
        left = len(rest)
        assert rest <= set(USERS[3:])
        assert left == 3 or kill is kill_supervisor
        told = 6 - left if kill is kill_supervisor else 2
        cycles.assert_the_next_needs_no_clean_up()
        assert cycles.ledger() == [
            (6, told, 0, 0, 6 - left - told, left, "crashed"),
            (left, left, 0, 0, 0, 0, "drained"),
        ]


@pytest.mark.parametrize("kill", KILLS)
def test_a_kill_inside_the_statement_takes_it_back(
    run: Run, gate: Connection, server: OwnServer, cycles: Cycles, kill: Kill
) -> None:
    backend = wait_until_at_gate(gate)
    workers = kill(run)
    gate.execute("SELECT pg_terminate_backend($1)", [backend])  # it never gets further
    ran = run.end()
    open_gate(gate)
    assert_nothing_is_left(workers, gate)
    if kill is kill_worker:
        ran.ended(1)
        assert cycles.ledger() == [(6, 5, 0, 0, 1, 0, "drained")]
    else:
        assert dirty(gate) == set(USERS[2:])
    cycles.assert_the_next_needs_no_clean_up()


def test_a_supervisor_killed_while_it_counts_the_backlog_has_begun_nothing(
    start: Start, gate: Connection, connection: Connection, cycles: Cycles
) -> None:
    with connection.transaction():
        connection.execute("LOCK TABLE dwh.dimension_users")
        run = start()
        wait_until_waiting_for(gate, "dwh.dimension_users")
        run.process.kill()
        run.end()
    assert_nothing_is_left([], gate)
    open_gate(gate)
    cycles.assert_the_next_needs_no_clean_up()
    assert cycles.ledger() == [(0, 0, 0, 0, 0, 0, "crashed"), (6, 6, 0, 0, 0, 0, "drained")]


def test_a_supervisor_killed_while_it_writes_the_queue_leaves_the_whole_backlog(
    start: Start, gate: Connection, tmp_path: Path, environment: dict[str, str], cycles: Cycles
) -> None:
    folder = tmp_path / "jobs" / "numbers"
    folder.mkdir(parents=True)
    files = {
        "job.toml": 'title = "Numbers"\nunit = "number"\n',
        "backlog.sql": "SELECT 1 AS level, 20000 AS items, now() AS oldest_dirty_at",
        # The last row of the list waits at the gate: all before it has been sent by then.
        "prioritize.sql": (
            "SELECT i AS item_key, 1 AS level FROM generate_series(1, 20000) AS i"
            " WHERE i < 20000 OR pg_advisory_lock_shared(42) IS NOT NULL LIMIT :max_items"
        ),
        "process.sql": "SELECT CAST(:'item_key' AS integer)",
    }
    for name, text in files.items():
        (folder / name).write_text(f"{text}\n")
    jobs = {"ETL_JOBS_DIR": str(folder.parent)}
    run = start("--max-numbers=20000", job="numbers", **jobs)
    backend = wait_until_at_gate(gate)
    folders = Path(environment["ETL_STATE_DIR"])
    queues = "cycles/*/*/*/queue.tsv"
    until(lambda: sum(path.stat().st_size for path in folders.glob(queues)), run.process)
    assert not list(folders.glob("cycles/*/*/*/cursor"))  # it is half written
    run.process.kill()
    run.end()
    gate.execute("SELECT pg_terminate_backend($1)", [backend])
    assert_nothing_is_left([], gate)
    open_gate(gate)
    start("--max-numbers=10", job="numbers", **jobs).ended(0, done=10)
    assert wrong_sums(gate) == []
    assert [reason for *_, reason in cycles.ledger()] == ["crashed", "limit"]
    assert len(list(folders.glob("cycles/*/*/cycle-*/"))) == 1


def test_a_supervisor_killed_while_it_closes_the_record_leaves_it_to_the_next(
    run: Run, gate: Connection, connection: Connection, cycles: Cycles
) -> None:
    with connection.transaction():
        connection.execute("LOCK TABLE etl.held_item")
        open_gate(gate)
        wait_until_waiting_for(gate, "etl.held_item")
        run.process.kill()
        run.end()
    assert_nothing_is_left([], gate)
    assert dirty(gate) == set()
    cycles.assert_the_next_needs_no_clean_up()
    assert cycles.ledger() == [(6, 6, 0, 0, 0, 0, "crashed"), (0, 0, 0, 0, 0, 0, "drained")]


def wait_until_waiting_for(connection: Connection, table: str) -> None:
    until_found(connection, f"{WAITS_FOR_LOCK} AND relation = CAST($1 AS regclass)", [table])
