"""A cycle in the background that waits at a gate, for faults at a known moment."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from etl.db import Connection
from tests.conftest import Connect, Ran, run_program
from tests.gates import put_gate, shut_gate
from tests.support import DAY, add_facts, add_users, opened, user_ids
from tests.waiting import WAITS_AT_GATE, until, until_found, until_gone

AS_OF = f"--as-of={DAY}"
USERS = [f"user{number}" for number in range(6)]


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
    put_gate(connection, "dwh.datamart_users", f"NEW.dimension_user_id = {third}")
    keeper = connect_again()
    shut_gate(keeper)
    return keeper


def _heed_signals() -> None:
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def under_nohup() -> None:
    """Start a process as nohup does."""
    _heed_signals()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


class Run:
    """A cycle in the background, or what else a command does for long."""

    def __init__(
        self,
        environment: dict[str, str],
        *arguments: str,
        prepare: Callable[[], None] = _heed_signals,
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "etl", *arguments, "--json"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
            # Whoever runs the tests in the background, or under nohup, has them ignored.
            preexec_fn=prepare,
        )

    def workers(self) -> list[int]:
        return [int(pid) for pid in run_program("pgrep", "-P", str(self.process.pid)).out.split()]

    def wait_for(self, words: str) -> str:
        """Read what it says on standard error until it says this. Returns the line."""
        assert self.process.stderr is not None
        while words not in (line := self.process.stderr.readline()):
            assert line, f"it ended and did not say: {words}"
        return str(line)

    def end(self) -> Ran:
        """Wait. Returns how it ended, with the rest of what it said."""
        if self.process.stdout and self.process.stdout.closed:
            return Ran(self.process.returncode, "", "")
        out, err = self.process.communicate()
        return Ran(self.process.returncode, out, err)

    def ended(self, status: int, *said: str, **record: object) -> Ran:
        """Wait. It must end so (`Ran.ended`)."""
        return self.end().ended(status, *said, **record)


Start = Callable[..., Run]


@pytest.fixture(params=["file", "postgres"])
def each_queue(request: pytest.FixtureRequest, environment: dict[str, str]) -> None:
    """The test runs with each queue in turn."""
    environment["QUEUE"] = request.param


@pytest.fixture
def runs() -> Generator[list[Run]]:
    """What a test has started; what a failed one leaves is ended."""
    started: list[Run] = []
    yield started
    for run in started:
        run.process.kill()
        run.end()


@pytest.fixture
def start(environment: dict[str, str], dsn: str, runs: list[Run]) -> Start:
    def begin(
        *arguments: str,
        job: str = "datamart-users",
        prepare: Callable[[], None] = _heed_signals,
        **more: str,
    ) -> Run:
        settings = {**environment, "ETL_DSN": dsn, **more}
        runs.append(Run(settings, job, AS_OF, *arguments, prepare=prepare))
        return runs[-1]

    return begin


@pytest.fixture
def start_crew(environment: dict[str, str], dsn: str, runs: list[Run], tmp_path: Path) -> Start:
    """Starts crews, each as if on another host: with a state folder of its own."""

    def begin(*arguments: str) -> Run:
        other = str(tmp_path / f"host {len(runs)}")
        settings = {**environment, "ETL_DSN": dsn, "ETL_STATE_DIR": other}
        runs.append(Run(settings, "worker", "datamart-users", *arguments))
        return runs[-1]

    return begin


def wait_until_at_gate(gate: Connection) -> int:
    """Wait for a refresh at the gate. Returns the process id of its server process."""
    return int(until_found(gate, WAITS_AT_GATE)[0][0])


@pytest.fixture
def run(start: Start, gate: Connection) -> Run:
    """A cycle with one worker, which waits at the gate."""
    run = start("--workers=1")
    wait_until_at_gate(gate)
    return run


def wait_until_gone(pid: int) -> None:
    """Wait until a process has ended, though its parent may not have heard of it yet."""

    def is_gone() -> bool:
        try:
            os.kill(pid, 0)
            return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
        except ProcessLookupError:
            return True
        except FileNotFoundError:
            return Path("/proc/self").exists()  # else no Linux

    until(is_gone)


def wait_until_disconnected(connection: Connection) -> None:
    """Wait until no session of the program is left in the database."""
    until_gone(
        connection,
        "SELECT FROM pg_stat_activity WHERE application_name LIKE 'etl:%'"
        " AND datname = current_database()",
    )


def kill_whole_cycle(run: Run) -> list[int]:
    """SIGKILL the supervisor and its workers at once. Returns the workers."""
    os.kill(run.process.pid, signal.SIGSTOP)  # it must not see them die
    workers = run.workers()
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    run.process.kill()
    run.process.wait()
    return workers
