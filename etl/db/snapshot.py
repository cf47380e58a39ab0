"""One state of the database, for whoever only reads."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime

from etl.db import Connection


@contextmanager
def snapshot(connection: Connection) -> Generator[datetime]:
    """Read one state of the database, and only read.

    Args:
        connection: In autocommit.

    Yields:
        The moment of asking, by the server's clock.
    """
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        ((now,),) = connection.execute("SELECT clock_timestamp()").fetchall()
        yield now
