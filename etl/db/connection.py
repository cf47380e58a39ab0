"""Connections: made with the settings that all of etl needs, and cut where nobody answers."""

import os
import socket
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, contextmanager, suppress

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.errors import QueryCanceled

from etl.db import pooler
from etl.db.statement import Connection, explained, one, unreachable
from etl.db.target import Target
from etl.errors import DatabaseUnreachableError, FileError, SchemaError, UsageError
from etl.sqlfile import shipped

# A peer that vanishes without closing is noticed within a minute instead of the two hours
# of the kernel's default. Anything that the user's own settings say wins.
_DEFAULTS = {
    "connect_timeout": "10",
    "keepalives_idle": "20",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "50000",
}
_ANSWER_S = 20.0


def connect(target: Target, application_name: str) -> Connection:
    """Connect, in autocommit.

    Args:
        target: Where to.
        application_name: What a DBA reads in pg_stat_activity.

    Raises:
        DatabaseUnreachableError: No connection was had.
        UsageError: A connection pooler shares the session with others; nothing was set.
    """
    given = {name: str(value) for name, value in conninfo_to_dict(target.dsn).items()}
    fixed = {"application_name": application_name, "client_encoding": "UTF8"}
    conninfo = make_conninfo(**{**_defaults(given), **given, **fixed})
    connection = _open(conninfo, target.label)
    try:
        with answered_within(connection, _ANSWER_S), uncancelled(connection):
            _set_session(connection, conninfo, target.label)
    except BaseException:
        connection.close()
        raise
    return connection


def _open(conninfo: str, label: str) -> Connection:
    try:
        return psycopg.connect(conninfo, autocommit=True, cursor_factory=psycopg.RawCursor)
    except psycopg.ProgrammingError as error:
        raise UsageError(f"cannot connect to {label}: {error}", "Correct this setting.") from error
    except psycopg.OperationalError as error:
        raise unreachable(label, error) from error


def _set_session(connection: Connection, conninfo: str, label: str) -> None:
    """Make the session's settings, in one round trip where no pooler is in between."""
    statement = shipped("session/set_session")
    known = connection.info.backend_pid
    encoding, process, *_ = one(connection, statement, backend_pid=known)
    if process != known:
        with closing(_open(conninfo, label)) as other, explained(connection, statement):
            is_shared = pooler.is_shared(connection, other)
        if is_shared:
            raise UsageError(
                f"{label} is a connection pooler in transaction or statement mode (PgBouncer): "
                "etl needs a session of its own",
                "Connect to the server itself, or to a pool with pool_mode = session.",
            )
        one(connection, statement, backend_pid=0)
    if encoding != "UTF8":
        raise SchemaError(
            f"the database at {label} has the encoding {encoding}, not UTF8",
            "Create it with ENCODING 'UTF8': names and SQL files need all of Unicode.",
        )


def _defaults(given: Mapping[str, str]) -> dict[str, str]:
    """Our defaults, less what the user has set in libpq's other ways."""
    if "service" in given or os.environ.get("PGSERVICE"):
        return {}
    kept = dict(_DEFAULTS)
    if os.environ.get("PGCONNECT_TIMEOUT"):
        del kept["connect_timeout"]
    return kept


def cut(connection: Connection) -> None:
    """End a connection from outside, from any thread; whoever waits for an answer sees it lost."""
    with suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(connection.fileno())) as end:
        end.shutdown(socket.SHUT_RDWR)


@contextmanager
def answered_within(
    connection: Connection, seconds: float, is_enough: Callable[[], bool] = lambda: False
) -> Generator[None]:
    """Cut the connection where the server has not answered by then, instead of waiting for ever.

    Args:
        connection: On which the statements inside run.
        seconds: How long all of them may take.
        is_enough: Asked twice a second whether to cut it at once.
    """
    over = threading.Event()
    until = time.monotonic() + seconds

    def watch() -> None:
        while not over.wait(0.5):
            if is_enough() or time.monotonic() > until:
                cut(connection)
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


@contextmanager
def uncancelled(connection: Connection) -> Generator[None]:
    """Give up a connection on which somebody cancels what no item asked for, and count it as lost.

    A cancellation that was meant for an item may meet what is sent behind it. What is then left
    half done, such as a transaction or a setting, ends with the connection.
    """
    try:
        yield
    except FileError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        connection.close()
        raise DatabaseUnreachableError(error.message, error.hint) from error
