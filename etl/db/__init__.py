"""Connections, with every way in which they fail turned into one clear error."""

import os
import socket
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from etl.db import pooler
from etl.dsn import SHOWN, spills_password
from etl.errors import DatabaseUnreachableError, FileError, SchemaError, UsageError
from etl.sqlfile import Statement, shipped

Row = tuple[Any, ...]
Connection = psycopg.Connection[Row]

# A peer that vanishes without closing is noticed within a minute instead of the two hours
# of the kernel's default. Anything that the user's own settings say wins.
_DEFAULTS = {
    "connect_timeout": "10",
    "keepalives_idle": "20",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "50000",
}
_HINTS = (
    (
        (errors.InvalidSchemaName, errors.UndefinedTable, errors.UndefinedFunction),
        "Run 'etl init' on this database, or correct the statement.",
    ),
    (
        (errors.InsufficientPrivilege,),
        "Connect as a member of etl_runner, for 'etl init' as one of the owner, or have the owner "
        "GRANT this role what it needs.",
    ),
    (
        (errors.ReadOnlySqlTransaction,),
        "This server or role only reads: connect to the primary, as a role that writes.",
    ),
)
_ANSWER_S = 20.0
# One of these says which database is meant; a password alone does not.
_NAMING = ("PGSERVICE", "PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER")


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect to.

    Attributes:
        dsn: libpq connection string or URI; may hold a password, so it is never shown.
        label: How it is called in messages: host, port and database, no secrets.
    """

    dsn: str
    label: str

    @classmethod
    def parse(cls, dsn: str) -> "Target":
        """Read a connection string.

        Raises:
            UsageError: It is none. The text is not repeated: it may hold a password.
        """
        try:
            parts = conninfo_to_dict(dsn)
        except (psycopg.ProgrammingError, UnicodeEncodeError):
            raise UsageError(
                "the connection string cannot be read",
                "Write it as postgresql://user@host/database or 'host=… dbname=…'.",
            ) from None

        def said(keyword: str, variable: str, default: str = "") -> str:
            return str(parts.get(keyword) or os.environ.get(variable) or default)

        if spills_password(dsn, {name: said(name, variable) for name, variable in SHOWN.items()}):
            raise UsageError(
                "the connection string names a host, port, user or database that may be a part of "
                "a password",
                "In a URI write @ in a password as %40, / as %2F, : as %3A and % as %25.",
            )

        service = said("service", "PGSERVICE")
        host = said("host", "PGHOST", f"service {service}" if service else "the local server")
        port = said("port", "PGPORT")
        database = said("dbname", "PGDATABASE")
        label = host + (f" port {port}" if port else "")
        return cls(dsn, label + (f", database {database}" if database else ""))


def named_target(flag: str | None, environ: Mapping[str, str]) -> Target | None:
    """The database that the user named: ``--dsn``, ``ETL_DSN``, or libpq's own variables.

    Returns:
        None where nothing names one.
    """
    dsn = flag or environ.get("ETL_DSN")
    if dsn:
        return Target.parse(dsn)
    if any(environ.get(name) for name in _NAMING):
        return Target.parse("")
    return None


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
        if not isinstance(error.__cause__, errors.QueryCanceled):
            raise
        connection.close()
        raise DatabaseUnreachableError(error.message, error.hint) from error


@contextmanager
def reached() -> Generator[None]:
    """Turn a connection that is lost between two statements into the one clear error."""
    try:
        yield
    except psycopg.OperationalError as error:
        raise unreachable("the server", error) from error


def unreachable(place: str, error: psycopg.Error) -> DatabaseUnreachableError:
    """The error for a connection that was refused or lost, in libpq's own words."""
    reason = " ".join(str(error).split()) or type(error).__name__
    return DatabaseUnreachableError(
        f"cannot reach the database at {place}: {reason}",
        "Check that the server runs, and --dsn, ETL_DSN, the PG* variables and ~/.pgpass.",
    )


def run(connection: Connection, statement: Statement, **values: object) -> psycopg.Cursor[Row]:
    """Run one statement of an SQL file with real parameters.

    Args:
        connection: Where.
        statement: What.
        values: A value for each of its variables; others are left unused.

    Raises:
        FileError: The server refuses it; the message names file and line.
        DatabaseUnreachableError: The connection is lost.
    """
    with explained(connection, statement):
        return connection.execute(statement.text, statement.bind(values))


def one(connection: Connection, statement: Statement, **values: object) -> Row:
    """The one row that a statement returns; for statements that always return one."""
    row = run(connection, statement, **values).fetchone()
    if row is None:
        raise FileError(statement.path, statement.line, "returned no row", "It has to.")
    return row


@contextmanager
def explained(connection: Connection, statement: Statement) -> Generator[None]:
    """Turn an error of a statement into one that names its file and line."""
    try:
        yield
    except psycopg.Error as error:
        if connection.closed:
            raise unreachable(_place(connection), error) from error
        position = error.diag.statement_position
        line = statement.line_at(int(position)) if position else statement.line
        reason = error.diag.message_primary or " ".join(str(error).split())
        hint = next((hint for kinds, hint in _HINTS if isinstance(error, kinds)), None)
        detail = f" ({error.diag.message_detail})" if error.diag.message_detail else ""
        raise FileError(
            statement.path,
            line,
            f"{reason}{detail} [{error.sqlstate}]",
            hint or error.diag.message_hint or "",
        ) from error


def _place(connection: Connection) -> str:
    """Where a connection led, as far as it still knows."""
    info = connection.info
    try:
        place = f"{info.host or info.hostaddr} port {info.port}, database {info.dbname}"
    except psycopg.OperationalError:
        place = "the server"
    return place
