"""Real kills: whoever dies, every user is done once or still dirty, and the sums are right."""

import os
import signal
from collections.abc import Generator
from pathlib import Path

import pytest

from etl.db import Connection, Target, connect
from tests.conftest import Address, Etl
from tests.faults.conftest import (
    AS_OF,
    USERS,
    Run,
    kill_whole_cycle,
    wait_until_at_gate,
    wait_until_disconnected,
    wait_until_gone,
)
from tests.gates import open_gate
from tests.support import dirty


def ledger(connection: Connection) -> list[tuple[object, ...]]:
    return connection.execute(
        "SELECT found, done, failed, busy, orphaned, remaining, stop_reason"
        " FROM etl.cycle ORDER BY cycle_id"
    ).fetchall()


@pytest.mark.usefixtures("each_queue")
def test_a_killed_worker_costs_its_item_an_attempt_and_is_replaced(
    run: Run, connection: Connection
) -> None:
    (worker,) = run.workers()
    os.kill(worker, signal.SIGKILL)
    run.ended(1, "worker 1: died of SIGKILL, replaced", done=5, orphaned=1, remaining=0)
    assert dirty(connection) == {"user2"}
    held = connection.execute("SELECT attempts, last_outcome FROM etl.held_item").fetchall()
    assert held == [(1, "orphaned")]


@pytest.mark.usefixtures("each_queue")
def test_the_workers_of_a_killed_supervisor_give_their_items_back_and_end(
    run: Run, gate: Connection, connection: Connection, etl: Etl
) -> None:
    (worker,) = run.workers()
    run.process.kill()
    run.process.wait()
    wait_until_gone(worker)
    wait_until_disconnected(connection)
    open_gate(gate)
    assert dirty(connection) == set(USERS[2:])
    ran = etl("datamart-users", AS_OF, "--json")
    assert "was cut off: 2 users attempted, 0 of them in hand" in ran.err
    assert ledger(connection) == [(6, 2, 0, 0, 0, 4, "crashed"), (4, 4, 0, 0, 0, 0, "drained")]
    assert connection.execute("SELECT FROM etl.held_item").rowcount == 0


def test_a_worker_that_dies_with_its_supervisor_costs_its_item_an_attempt(
    run: Run, gate: Connection, connection: Connection, etl: Etl
) -> None:
    kill_whole_cycle(run)
    open_gate(gate)
    wait_until_disconnected(connection)
    # The server finished the statement of the dead worker: it was on its way.
    left = dirty(connection)
    assert left in (set(USERS[3:]), set(USERS[2:]))
    ran = etl("datamart-users", AS_OF, "--json")
    assert "was cut off: 3 users attempted, 1 of them in hand" in ran.err
    assert ledger(connection) == [(6, 2, 0, 0, 1, 3, "crashed"), (3, 3, 0, 0, 0, 0, "drained")]
    assert dirty(connection) == left - set(USERS[3:])
    outcomes = "SELECT outcome, count(*) FROM etl.attempt GROUP BY outcome ORDER BY outcome"
    assert connection.execute(outcomes.encode()).fetchall() == [("done", 5), ("orphaned", 1)]


@pytest.mark.usefixtures("each_queue")
def test_a_terminated_server_process_fails_its_item_and_the_worker_goes_on(
    run: Run, gate: Connection, connection: Connection
) -> None:
    backend = wait_until_at_gate(gate)
    connection.execute("SELECT pg_terminate_backend($1)", [backend])
    run.ended(1, "[57P01]", done=5, failed=1)
    assert dirty(connection) == {"user2"}


@pytest.mark.parametrize("is_elsewhere", [False, True], ids=["this host", "another host"])
def test_a_second_cycle_ends_at_once_and_says_who_runs(
    run: Run, gate: Connection, etl: Etl, tmp_path: Path, is_elsewhere: bool
) -> None:
    if is_elsewhere:
        there = etl("datamart-users", AS_OF, ETL_STATE_DIR=str(tmp_path / "another"))
        there.ended(75, "server process", "etl:datamart-users from")
    else:
        said = f"is running on this database: process {run.process.pid} on "
        etl("datamart-users", AS_OF).ended(75, said)
    open_gate(gate)
    run.ended(0)


def refuse_connections(elsewhere: Connection, connection: Connection) -> None:
    """Refuse new connections to the test's database, then cut those of the cycle."""
    elsewhere.execute(f'ALTER DATABASE "{connection.info.dbname}" ALLOW_CONNECTIONS false'.encode())
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name LIKE 'etl:%' AND datname = current_database()"
    )


def accept_connections(elsewhere: Connection, connection: Connection) -> None:
    elsewhere.execute(f'ALTER DATABASE "{connection.info.dbname}" ALLOW_CONNECTIONS true'.encode())


@pytest.fixture
def elsewhere(server_address: Address) -> Generator[Connection]:
    """A connection to another database of the server."""
    with connect(Target.parse(server_address.dsn()), "tests") as connected:
        yield connected


@pytest.mark.usefixtures("each_queue")
def test_a_database_that_comes_back_is_waited_for(
    run: Run, gate: Connection, connection: Connection, elsewhere: Connection
) -> None:
    refuse_connections(elsewhere, connection)
    run.wait_for("lost the database")
    accept_connections(elsewhere, connection)
    open_gate(gate)
    # Its session was terminated and no server went down: the item in hand may be to blame.
    run.ended(1, "found the database again", done=5, failed=1)
    assert ledger(connection) == [(6, 5, 1, 0, 0, 0, "drained")]


@pytest.mark.usefixtures("each_queue")
def test_a_database_that_does_not_come_back_loses_nothing(
    run: Run, gate: Connection, connection: Connection, elsewhere: Connection, etl: Etl
) -> None:
    refuse_connections(elsewhere, connection)
    run.wait_for("lost the database")
    for words in ("finishing the users in hand", "cancelling the users in hand"):
        os.kill(run.process.pid, signal.SIGTERM)  # somebody does not want to wait a minute
        run.wait_for(words)
    ran = run.end()
    accept_connections(elsewhere, connection)
    ran.ended(128 + signal.SIGTERM, "the next cycle closes the record of this one")
    open_gate(gate)
    assert dirty(connection) == set(USERS[2:])
    etl("datamart-users", AS_OF, "--json").ended(0, done=4)
    assert connection.execute("SELECT FROM etl.held_item").rowcount == 0
    assert [row[6] for row in ledger(connection)] == ["crashed", "drained"]
