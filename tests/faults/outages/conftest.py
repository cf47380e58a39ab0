"""A server that the tests of this folder may break, and what they ask after each fault."""

import fcntl
import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from etl.db import Connection
from tests.conftest import RUNNER, Connect, Etl
from tests.faults.conftest import AS_OF, Run, Start
from tests.faults.proxy import Proxy
from tests.faults.servers import OwnServer
from tests.faults.sums import wrong_sums
from tests.gates import open_gate
from tests.support import dirty
from tests.waiting import until


@pytest.fixture(scope="session")
def _server() -> Generator[OwnServer]:
    with OwnServer({"max_prepared_transactions": "5"}) as server:
        yield server


@pytest.fixture
def server(_server: OwnServer) -> Generator[OwnServer]:
    """A server that may be restarted, stopped, killed; it is up again for the next test."""
    _server.start()
    yield _server
    _server.resume_all()
    _server.start()


@pytest.fixture
def database(server: OwnServer) -> str:
    return server.new_database()


@pytest.fixture
def dsn(server: OwnServer, database: str) -> str:
    """The database as the program reaches it, as a member of etl_runner."""
    return server.dsn(database, RUNNER)


@pytest.fixture
def connect_again(server: OwnServer, database: str) -> Generator[Connect]:
    """Superuser's connections to it, for what tests do there themselves."""
    opened: list[Connection] = []

    def another() -> Connection:
        opened.append(server.connect(database))
        return opened[-1]

    yield another
    for one in opened:
        one.close()


@pytest.fixture
def connection(connect_again: Connect) -> Connection:
    return connect_again()


@pytest.fixture
def proxy(server: OwnServer) -> Generator[Proxy]:
    with Proxy(server.socket) as running:
        yield running


@pytest.fixture
def start_by_proxy(start: Start, proxy: Proxy, database: str) -> Start:
    """Starts cycles whose connections run through the proxy."""

    def begin(*arguments: str, job: str = "datamart-users", **more: str) -> Run:
        return start(*arguments, job=job, **{"ETL_DSN": proxy.dsn(database, RUNNER), **more})

    return begin


@dataclass(frozen=True)
class Cycles:
    """What is known of the cycles of a test.

    Attributes:
        connect: Makes a connection that works: the test's own may have died in the outage.
        etl: Runs the program.
        state: The state folder.
    """

    connect: Connect
    etl: Etl
    state: Path

    def ledger(self) -> list[tuple[object, ...]]:
        """found, done, failed, busy, orphaned, remaining, stop reason of each cycle."""
        rows = self.connect().execute(
            "SELECT found, done, failed, busy, orphaned, remaining, stop_reason"
            " FROM etl.cycle ORDER BY cycle_id"
        )
        return rows.fetchall()

    def held(self) -> list[tuple[object, ...]]:
        """Item by name, attempts, SQLSTATE and whether it is quarantined, of each held item."""
        rows = self.connect().execute(
            "SELECT u.username, h.attempts, h.last_sqlstate, h.quarantined_at IS NOT NULL"
            " FROM etl.held_item AS h"
            " JOIN dwh.dimension_users AS u ON u.dimension_user_id::text = h.item_key"
            " ORDER BY u.username"
        )
        return rows.fetchall()

    def forget_the_wait(self) -> None:
        """Let the back-off of every held item be over."""
        self.connect().execute("UPDATE etl.held_item SET held_until = '2000-01-01'")

    def assert_the_next_needs_no_clean_up(self) -> None:
        """The next cycle does what is left, every row is right, and the sums are.

        What the last one had in hand when it was killed is held first: one cycle more.
        """
        self.forget_the_wait()
        left = len(dirty(self.connect()))
        done = self._drain()
        if dirty(self.connect()):
            self.forget_the_wait()
            done += self._drain()
        assert done == left
        assert dirty(self.connect()) == set()
        assert self.etl("verify", "datamart-users", AS_OF).status == 0
        assert wrong_sums(self.connect()) == []
        assert len(list(self.state.glob("cycles/*/datamart_users/cycle-*/"))) == 1

    def _drain(self) -> int:
        ran = self.etl("datamart-users", AS_OF, "--max-users=10000", "--json").ended(0)
        return int(ran.record["done"])


@pytest.fixture
def cycles(connect_again: Connect, etl: Etl, environment: dict[str, str]) -> Cycles:
    return Cycles(connect_again, etl, Path(environment["ETL_STATE_DIR"]))


def keep_gate_over_restarts(gate: Connection) -> None:
    """Hand the gate to a prepared transaction; ROLLBACK PREPARED 'gate' opens it."""
    open_gate(gate)
    with gate.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT pg_advisory_xact_lock(42)")
        cursor.execute("PREPARE TRANSACTION 'gate'")


def all_wait_at_the_gate(connection: Connection) -> None:
    """Let every refresh wait at the gate, not only that of user2."""
    connection.execute(
        "CREATE OR REPLACE TRIGGER wait_at_gate BEFORE INSERT OR UPDATE ON dwh.datamart_users"
        " FOR EACH ROW EXECUTE FUNCTION wait_at_gate()"
    )


def journal_of(environment: dict[str, str]) -> Path:
    """The journal of the only cycle there is."""
    (journal,) = Path(environment["ETL_STATE_DIR"]).glob("cycles/*/*/*/journal.tsv")
    return journal


@contextmanager
def queue_lock(environment: dict[str, str]) -> Generator[Path]:
    """Hold the lock of the only queue: nobody can claim or acknowledge. Yields its file."""
    path = journal_of(environment).with_name("lock")
    with path.open("rb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield path


def wait_until_waiting_for_lock(pid: int, path: Path) -> None:
    """Wait until a process waits for the flock on a file."""
    waiter = re.compile(rf"-> FLOCK .* {pid} \S+:{path.stat().st_ino} ")
    until(lambda: waiter.search(Path("/proc/locks").read_text()))
