"""A cycle in the background that waits at a gate, for faults at a known moment."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from etl.db import Connection
from tests.support import DAY, add_facts, add_users, opened, user_ids

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
        # Without a limit: a lock timeout at the gate would make the item busy.
        "CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0 AS"
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


def _heed_signals() -> None:
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def under_nohup() -> None:
    """Start a process as nohup does."""
    _heed_signals()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


class Run:
    """A cycle in the background."""

    def __init__(
        self,
        environment: dict[str, str],
        job: str,
        *arguments: str,
        prepare: Callable[[], None] = _heed_signals,
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "etl", job, AS_OF, "--json", *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
            # Whoever runs the tests in the background, or under nohup, has them ignored.
            preexec_fn=prepare,
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


@pytest.fixture(params=["file", "postgres"])
def each_queue(request: pytest.FixtureRequest, environment: dict[str, str]) -> None:
    """The test runs with each queue in turn."""
    environment["QUEUE"] = request.param


@pytest.fixture
def start(environment: dict[str, str], dsn: str) -> Generator[Start]:
    """Starts cycles, and ends what a failed test leaves."""
    runs: list[Run] = []

    def begin(
        *arguments: str,
        job: str = "datamart-users",
        prepare: Callable[[], None] = _heed_signals,
        **more: str,
    ) -> Run:
        settings = {**environment, "ETL_DSN": dsn, **more}
        runs.append(Run(settings, job, *arguments, prepare=prepare))
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
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except ProcessLookupError:
            return
        except FileNotFoundError:
            if Path("/proc/self").exists():
                return
            continue  # no Linux
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


def kill_whole_cycle(run: Run) -> list[int]:
    """SIGKILL the supervisor and its workers at once. Returns the workers."""
    os.kill(run.process.pid, signal.SIGSTOP)  # it must not see them die
    workers = run.workers()
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    run.process.kill()
    run.process.wait()
    return workers
