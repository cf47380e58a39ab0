"""A real PgBouncer in front of the server: it keeps sessions apart, or is refused by name."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from etl import db
from etl.db import Connection, Target
from etl.embedded.binaries import server_account
from etl.errors import UsageError
from tests.conftest import Address, runner
from tests.faults.conftest import (
    AS_OF,
    USERS,
    Start,
    wait_until_at_gate,
    wait_until_disconnected,
    wait_until_gone,
)
from tests.gates import open_gate
from tests.integration.test_load_notes import HEADER, NOTES
from tests.ports import free_port
from tests.support import dirty
from tests.waiting import WAITS_AT_GATE, until_found

# As Debian ships it, but for what a test names.
_SETTINGS = """
[databases]
* = host={server} port=5432 user=etl

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
log_connections = 0
log_disconnections = 0
log_stats = 0
"""


def _program() -> str:
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        problem = "PgBouncer is not installed (apt-get install pgbouncer)"
        if os.environ.get("CI"):
            pytest.fail(problem)
        pytest.skip(problem)
    return program


Pool = Callable[..., str]


@pytest.fixture
def pool(server_address: Address, dsn: str) -> Generator[Pool]:
    """Starts a PgBouncer with these settings. Returns how to connect through it."""
    with ExitStack() as stack:

        def start(**settings: object) -> str:
            folder = Path(tempfile.mkdtemp(prefix="etl-pool-"))
            stack.callback(shutil.rmtree, folder)
            folder.chmod(0o755)
            port = free_port()
            file = folder / "pgbouncer.ini"
            more = "".join(f"{name} = {value}\n" for name, value in settings.items())
            file.write_text(_SETTINGS.format(server=server_address.host, port=port) + more)
            account = server_account()
            process = subprocess.Popen(
                [_program(), file],
                user=account.pw_uid if account else None,  # it refuses to run as root
                stderr=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            assert process.stderr is not None
            while "process up" not in (line := process.stderr.readline()):
                assert line, "PgBouncer does not start"
            name = conninfo_to_dict(dsn)["dbname"]
            return make_conninfo(host="127.0.0.1", port=port, user="etl", dbname=name)

        yield start


@pytest.mark.parametrize("round_robin", [0, 1])
@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("mode", ["transaction", "statement"])
def test_a_pool_that_shares_sessions_is_refused_by_name(
    pool: Pool, connection: Connection, mode: str, size: int, round_robin: int
) -> None:
    through = pool(pool_mode=mode, default_pool_size=size, server_round_robin=round_robin)
    for is_warm in (False, True):
        if is_warm:
            _use_whole_pool(through, size, connection)
        with pytest.raises(UsageError, match="connection pooler in transaction") as refused:
            db.connect(Target.parse(through), "tests").close()
        assert "pool_mode = session" in refused.value.hint


def _use_whole_pool(through: str, size: int, connection: Connection) -> None:
    """Make the pool open all its connections: as many clients wait for a lock at once."""
    connection.execute("SELECT pg_advisory_lock(7)")
    with ExitStack() as stack:
        clients = [
            stack.enter_context(psycopg.connect(through, autocommit=True)) for _ in range(size)
        ]
        for number, client in enumerate(clients, 1):
            client.pgconn.send_query(b"SELECT pg_advisory_xact_lock_shared(7)")
            until_found(connection, WAITS_AT_GATE, rows=number)
        connection.execute("SELECT pg_advisory_unlock(7)")
        for client in clients:
            while client.pgconn.get_result():
                pass


@pytest.fixture
def foreign(connection: Connection) -> dict[str, str]:
    """Settings of the database, none of them as etl wants it."""
    settings = {
        "IntervalStyle": "iso_8601",
        "default_transaction_isolation": "serializable",
        "DateStyle": "German, DMY",
        "TimeZone": "Asia/Tokyo",
        "client_connection_check_interval": "7s",
    }
    for name, value in settings.items():
        statement = f"ALTER DATABASE \"{connection.info.dbname}\" SET {name} = '{value}'"
        connection.execute(statement.encode())
    return settings


def _settings(connection: "psycopg.Connection[Any]") -> dict[str, str]:
    names = ("IntervalStyle", "default_transaction_isolation", "DateStyle", "TimeZone")
    shown: dict[str, str] = {}
    for name in (*names, "client_connection_check_interval"):
        rows = connection.execute(f"SHOW {name}".encode()).fetchall()
        shown[name] = rows[0][0]
    return shown


COMMANDS = [
    ["init"],
    ["load-notes", "-"],
    ["datamart-users", AS_OF, "--workers=2"],
    ["datamart-users", AS_OF, "--queue=postgres"],
    ["worker", "datamart-users", "--follow"],
    ["verify", "datamart-users"],
]


@pytest.mark.parametrize("mode", ["transaction", "statement"])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_every_command_is_refused_and_sets_nothing(
    pool: Pool,
    connection: Connection,
    environment: dict[str, str],
    foreign: dict[str, str],
    mode: str,
    command: list[str],
) -> None:
    through = pool(pool_mode=mode, default_pool_size=1)
    ran = runner({**environment, "ETL_DSN": through})(*command).ended(2)
    assert ran.err.count("connection pooler in transaction or statement mode (PgBouncer)") == 1
    assert not list(Path(environment["ETL_STATE_DIR"]).glob("cycles/*"))
    with psycopg.connect(through, autocommit=True) as client:
        assert _settings(client) == foreign
    locks = "SELECT FROM pg_locks WHERE locktype = 'advisory'"
    assert connection.execute(locks).rowcount == 0


@pytest.mark.parametrize("queue", [(), ("--queue=postgres",)], ids=["file", "postgres"])
def test_a_pool_that_keeps_sessions_works(
    pool: Pool,
    connection: Connection,
    environment: dict[str, str],
    tmp_path: Path,
    queue: tuple[str, ...],
) -> None:
    notes = tmp_path / "notes.csv"
    notes.write_text(HEADER + NOTES)
    # Three: the cycle and its two workers. None is left for the question which mode it is.
    etl = runner({**environment, "ETL_DSN": pool(pool_mode="session", default_pool_size=3)})
    assert etl("init").status == 0
    assert etl("load-notes", notes).status == 0
    etl("datamart-users", "--workers=2", "--json", *queue).ended(0, done=3, workers=2)
    assert etl("verify", "datamart-users").status == 0
    assert dirty(connection) == set()


def test_in_a_pool_that_keeps_sessions_they_are_set(pool: Pool, foreign: dict[str, str]) -> None:
    through = pool(pool_mode="session", default_pool_size=1)
    with db.connect(Target.parse(through), "tests") as connection:
        assert _settings(connection) == {
            "IntervalStyle": "postgres",
            "default_transaction_isolation": "read committed",
            "DateStyle": "ISO, DMY",
            "TimeZone": "UTC",
            # Whether the client is there is for the pooler to see.
            "client_connection_check_interval": "7s",
        }


def test_workers_that_get_no_session_end_the_cycle_with_nothing_lost(
    pool: Pool, start: Start, gate: Connection, connection: Connection
) -> None:
    """A pool for one: the cycle has it, and its workers are turned away."""
    through = pool(pool_mode="session", default_pool_size=1, query_wait_timeout=2)
    start("--workers=1", ETL_DSN=through).ended(
        69, "worker 1 gave up", done=0, failed=0, remaining=6
    )
    assert dirty(connection) == set(USERS)


def test_a_second_signal_cancels_through_the_pool(
    pool: Pool, start: Start, gate: Connection, connection: Connection
) -> None:
    run = start("--workers=1", ETL_DSN=pool(pool_mode="session"))
    wait_until_at_gate(gate)
    os.kill(run.process.pid, signal.SIGTERM)
    run.wait_for("finishing the users in hand")
    os.kill(run.process.pid, signal.SIGTERM)
    run.ended(128 + signal.SIGTERM, done=2, failed=0, remaining=4)
    assert dirty(connection) == set(USERS[2:])


def test_the_lock_of_a_dead_cycle_is_free_though_the_pool_keeps_the_connection(
    pool: Pool, start: Start, gate: Connection, connection: Connection
) -> None:
    through = pool(pool_mode="session")
    run = start("--workers=1", ETL_DSN=through)
    wait_until_at_gate(gate)
    (worker,) = run.workers()
    run.process.kill()
    run.process.wait()
    wait_until_gone(worker)
    open_gate(gate)
    wait_until_disconnected(connection)
    start("--workers=1", ETL_DSN=through).ended(0, done=4)


def test_a_direct_connection_needs_no_second_one(connection: Connection, dsn: str) -> None:
    connection.execute("DROP ROLE IF EXISTS single")
    connection.execute("CREATE ROLE single LOGIN CONNECTION LIMIT 1")
    try:
        db.connect(Target.parse(f"{dsn} user=single"), "tests").close()
    finally:
        connection.execute("DROP ROLE single")
