"""Transactions of their own kind: a snapshot, one that waits for nobody, a COPY."""

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from typing import TypeVar

from psycopg import IsolationLevel
from psycopg.errors import LockNotAvailable, QueryCanceled

from etl.db.statement import Connection, explained, one, run
from etl.errors import FileError
from etl.sqlfile import Statement, shipped

T = TypeVar("T")

_COPIED_TOGETHER = 1000


@contextmanager
def snapshot(connection: Connection, lock_timeout: str = "5s") -> Generator[datetime]:
    """Read one state of the database, and only read.

    Args:
        connection: In autocommit.
        lock_timeout: How long to wait for a table that somebody has locked; 0: as long as it takes.

    Yields:
        The moment of asking, by the server's clock.
    """
    connection.isolation_level, connection.read_only = IsolationLevel.REPEATABLE_READ, True
    try:
        with connection.transaction():
            now, _ = one(connection, shipped("session/set_snapshot"), lock_timeout=lock_timeout)
            yield now
    finally:
        if not connection.closed:
            connection.isolation_level = connection.read_only = None


def unless_locked(
    connection: Connection, statement: Statement, action: Callable[[Connection], T]
) -> T | None:
    """Do something, in a durable transaction, that comes again soon: it waits for nobody's lock.

    Args:
        connection: In autocommit.
        statement: Named by an error.
        action: What.

    Returns:
        What it does; None: nothing was done, because somebody has the table or row locked.
    """
    try:
        with explained(connection, statement), connection.transaction():
            run(connection, shipped("session/set_briefly"))
            return action(connection)
    except FileError as error:
        if not isinstance(error.__cause__, (LockNotAvailable, QueryCanceled)):
            raise
        return None


def copy_in(connection: Connection, statement: Statement, lines: Iterable[str]) -> None:
    """Send lines in the text format of COPY, in bounded memory."""
    with explained(connection, statement), connection.cursor().copy(statement.text) as copy:
        left = iter(lines)
        while together := "".join(islice(left, _COPIED_TOGETHER)):
            copy.write(together)
