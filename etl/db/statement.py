"""Running one statement of an SQL file, with every way in which it fails as one clear error."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import errors

from etl.errors import DatabaseUnreachableError, FileError
from etl.sqlfile import Statement

Row = tuple[Any, ...]
Connection = psycopg.Connection[Row]


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
        (errors.LockNotAvailable,),
        "Somebody has a table locked: 'etl doctor' names who.",
    ),
    (
        (errors.ReadOnlySqlTransaction,),
        "This server or role only reads: connect to the primary, as a role that writes.",
    ),
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


def _place(connection: Connection) -> str:
    """Where a connection led, as far as it still knows."""
    info = connection.info
    try:
        place = f"{info.host or info.hostaddr} port {info.port}, database {info.dbname}"
    except psycopg.OperationalError:
        place = "the server"
    return place
