"""Real kills: whoever dies, every user is done once or still dirty, and the sums are right."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import psycopg
import pytest

from etl.db import Connection
from tests.conftest import Address, Etl
from tests.support import DAY, add_facts, add_users, dirty, opened, user_ids

AS_OF = f"--as-of={DAY}"
GATE = 42
USERS = [f"user{number}" for number in range(6)]
Connect = Callable[[], Connection]


@pytest.fixture
def gate(connection: Connection, connect_again: Connect) -> Connection:
    """Six dirty users, and a connection that holds the lock on which refreshes wait.

    Only the refresh of user2, third in the queue, waits, before it writes.
    """
    add_users(connection, *USERS)
    facts = [
        opened(number + 1, f"2026-01-15 10:0{9 - number}", name)
        for number, name in enumerate(USERS)
    ]
    add_facts(connection, facts)
    third = user_ids(connection)["user2"]
    connection.execute(
        "CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN NEW; END $$"
    )
    trigger = (
        "CREATE TRIGGER wait_at_gate BEFORE INSERT OR UPDATE ON dwh.datamart_users FOR EACH ROW"
        f" WHEN (NEW.dimension_user_id = {third}) EXECUTE FUNCTION wait_at_gate()"
    )
    connection.execute(trigger.encode())
    keeper = connect_again()
    keeper.execute("SELECT pg_advisory_lock($1)", [GATE])
    return keeper


class Run:
    """A cycle in the background."""

    def __init__(self, environment: dict[str, str], *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "etl", "datamart-users", AS_OF, "--json", *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )

    def workers(self) -> list[int]:
        """Process ids of its workers."""
        found = subprocess.run(
            ["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False
        )
        return [int(pid) for pid in found.stdout.split()]

    def wait_for(self, words: str) -> None:
        """Read what it says on standard error until it says this."""
        assert self.process.stderr is not None
        while words not in self.process.stderr.readline():
            assert self.process.poll() is None

    def end(self) -> tuple[int, str, str]:
        """Wait. Returns exit status, output and the rest of what it said."""
        if self.process.stdout and self.process.stdout.closed:
            return self.process.returncode, "", ""
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


Start = Callable[..., Run]


@pytest.fixture
def start(environment: dict[str, str], dsn: str) -> Generator[Start]:
    """Starts cycles, and ends what a failed test leaves."""
    runs: list[Run] = []

    def begin(*arguments: str) -> Run:
        runs.append(Run({**environment, "ETL_DSN": dsn}, *arguments))
        return runs[-1]

    yield begin
    for run in runs:
        run.process.kill()
        run.end()


def wait_until_at_gate(gate: Connection) -> int:
    """Wait for a refresh at the gate. Returns the process id of its server process."""
    while True:
        row = gate.execute(
            "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        ).fetchone()
        if row is not None:
            return int(row[0])


def wait_until_gone(pid: int) -> None:
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{pid}/stat").exists():
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
            if state == "Z":
                return


def wait_until_disconnected(connection: Connection) -> None:
    while connection.execute(
        "SELECT FROM pg_stat_activity WHERE application_name LIKE 'etl:%'"
        " AND datname = current_database()"
    ).rowcount:
        pass


def open_gate(gate: Connection) -> None:
    gate.execute("SELECT pg_advisory_unlock($1)", [GATE])


def ledger(connection: Connection) -> list[tuple[object, ...]]:
    return connection.execute(
        "SELECT found, done, failed, busy, orphaned, remaining, stop_reason"
        " FROM etl.cycle ORDER BY cycle_id"
    ).fetchall()


def test_a_killed_worker_costs_its_item_an_attempt_and_is_replaced(
    start: Start, gate: Connection, connection: Connection
) -> None:
    run = start("--workers=1")
    wait_until_at_gate(gate)
    (worker,) = run.workers()
    os.kill(worker, signal.SIGKILL)
    status, out, err = run.end()
    record = json.loads(out)
    assert status == 1
    assert (record["done"], record["orphaned"], record["remaining"]) == (5, 1, 0)
    assert "worker 1: died of SIGKILL, replaced" in err
    assert dirty(connection) == {"user2"}
    held = connection.execute("SELECT attempts, last_outcome FROM etl.held_item").fetchall()
    assert held == [(1, "orphaned")]


def test_the_workers_of_a_killed_supervisor_give_their_items_back_and_end(
    start: Start, gate: Connection, connection: Connection, etl: Etl
) -> None:
    run = start("--workers=1")
    wait_until_at_gate(gate)
    (worker,) = run.workers()
    run.process.kill()
    run.process.wait()
    wait_until_gone(worker)
    wait_until_disconnected(connection)
    open_gate(gate)
    assert dirty(connection) == set(USERS[2:])
    ran = etl("datamart-users", AS_OF, "--json")
    assert "was cut off: 2 users attempted, 0 of them in hand" in ran.err
    assert ledger(connection) == [
        (6, 2, 0, 0, 0, 4, "crashed"),
        (4, 4, 0, 0, 0, 0, "drained"),
    ]
    assert connection.execute("SELECT FROM etl.held_item").rowcount == 0


def test_a_worker_that_dies_with_its_supervisor_costs_its_item_an_attempt(
    start: Start, gate: Connection, connection: Connection, etl: Etl
) -> None:
    run = start("--workers=1")
    wait_until_at_gate(gate)
    (worker,) = run.workers()
    os.kill(run.process.pid, signal.SIGSTOP)  # it must not see its worker die
    os.kill(worker, signal.SIGKILL)
    run.process.kill()
    run.process.wait()
    open_gate(gate)
    wait_until_disconnected(connection)
    # The server finished the statement of the dead worker: it was on its way.
    left = dirty(connection)
    assert left in (set(USERS[3:]), set(USERS[2:]))
    ran = etl("datamart-users", AS_OF, "--json")
    assert "was cut off: 3 users attempted, 1 of them in hand" in ran.err
    assert ledger(connection) == [
        (6, 2, 0, 0, 1, 3, "crashed"),
        (3, 3, 0, 0, 0, 0, "drained"),
    ]
    assert dirty(connection) == left - set(USERS[3:])
    attempts = connection.execute(
        "SELECT outcome, count(*) FROM etl.attempt GROUP BY outcome ORDER BY outcome"
    ).fetchall()
    assert attempts == [("done", 5), ("orphaned", 1)]


def test_a_terminated_server_process_fails_its_item_and_the_worker_goes_on(
    start: Start, gate: Connection, connection: Connection
) -> None:
    run = start("--workers=1")
    backend = wait_until_at_gate(gate)
    connection.execute("SELECT pg_terminate_backend($1)", [backend])
    status, out, err = run.end()
    record = json.loads(out)
    assert status == 1
    assert (record["done"], record["failed"]) == (5, 1)
    assert "[57P01]" in err
    assert dirty(connection) == {"user2"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_finishes_the_item_in_hand_and_leaves_the_rest(
    start: Start, gate: Connection, connection: Connection, number: signal.Signals
) -> None:
    run = start("--workers=1")
    wait_until_at_gate(gate)
    os.kill(run.process.pid, number)
    run.wait_for("finishing the users in hand")
    open_gate(gate)
    status, out, _ = run.end()
    record = json.loads(out)
    assert status == 128 + number
    assert (record["done"], record["remaining"], record["stop_reason"]) == (3, 3, "stopped")
    assert dirty(connection) == set(USERS[3:])


def test_a_second_signal_cancels_the_item_in_hand_without_an_attempt(
    start: Start, gate: Connection, connection: Connection
) -> None:
    run = start("--workers=1")
    wait_until_at_gate(gate)
    os.kill(run.process.pid, signal.SIGTERM)
    run.wait_for("finishing the users in hand")
    os.kill(run.process.pid, signal.SIGTERM)
    status, out, err = run.end()
    record = json.loads(out)
    assert status == 128 + signal.SIGTERM
    assert "cancelling the users in hand" in err
    assert (record["done"], record["failed"], record["remaining"]) == (2, 0, 4)
    assert dirty(connection) == set(USERS[2:])
    assert connection.execute("SELECT FROM etl.held_item").rowcount == 0


def test_a_second_cycle_ends_at_once_and_says_who_runs(
    start: Start, gate: Connection, etl: Etl
) -> None:
    run = start("--workers=1")
    wait_until_at_gate(gate)
    ran = etl("datamart-users", AS_OF)
    assert ran.status == 75
    assert f"is running on this database: process {run.process.pid} on " in ran.err
    open_gate(gate)
    assert run.end()[0] == 0


def test_a_second_cycle_from_another_host_ends_at_once_too(
    start: Start, gate: Connection, etl: Etl, tmp_path: Path
) -> None:
    run = start("--workers=1")
    wait_until_at_gate(gate)
    ran = etl("datamart-users", AS_OF, ETL_STATE_DIR=str(tmp_path / "another"))
    assert ran.status == 75
    assert "server process" in ran.err
    assert "etl:datamart-users from" in ran.err
    open_gate(gate)
    assert run.end()[0] == 0


def test_an_unreachable_database_stops_the_cycle_and_nothing_is_lost(
    start: Start, gate: Connection, connection: Connection, etl: Etl, server_address: Address
) -> None:
    run = start("--workers=1")
    wait_until_at_gate(gate)
    database = connection.info.dbname
    with psycopg.connect(server_address.dsn(), autocommit=True) as elsewhere:
        # Refuse new connections, then cut those of the cycle.
        elsewhere.execute(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS false'.encode())
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name LIKE 'etl:%' AND datname = current_database()"
        )
        status, _, err = run.end()
        elsewhere.execute(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS true'.encode())
    assert status == 69, err
    assert "Traceback" not in err
    open_gate(gate)
    assert dirty(connection) == set(USERS[2:])
    again = etl("datamart-users", AS_OF, "--json")
    assert again.status == 0
    assert json.loads(again.out)["done"] == 3
    assert [row[6] for row in ledger(connection)] == ["crashed", "drained"]


def test_a_reader_that_goes_away_does_not_end_the_cycle(
    start: Start, gate: Connection, connection: Connection
) -> None:
    run = start("--workers=1")
    wait_until_at_gate(gate)
    assert run.process.stderr is not None
    assert run.process.stdout is not None
    run.process.stderr.close()
    run.process.stdout.close()
    open_gate(gate)
    assert run.process.wait() == 0
    assert dirty(connection) == set()
