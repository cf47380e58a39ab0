"""One item, one transaction, one outcome.

The statement runs in autocommit, so one round trip is the whole transaction. This is the
only place where the failure of an item becomes a value; everything else raises.
"""

import time
from collections.abc import Mapping

import psycopg
from psycopg import errors

from etl import db
from etl.errors import EnvironmentFaultError
from etl.model import Claim, Outcome, Result
from etl.sqlfile import Statement

_IMMEDIATE_RETRIES = 3
# The same for every other item: a read-only server, a full disk, a missing privilege, function,
# table or schema. Not: out of memory, I/O and internal errors. Those may be one item's (a damaged
# page), and a cycle that stopped at it would stop there for good.
_HOPELESS = ("25006", "53100", "42501", "42883", "42P01", "3F000")
_MESSAGE_LENGTH = 500


class InterruptedItem(Exception):
    """The running statement was cancelled because the cycle stops: no attempt."""


class Executor:
    """Runs a job's statement for one item after the other, over one connection.

    Args:
        connection: In autocommit; used by nobody else.
        statement: The job's process.sql.
        parameters: Values that are the same for every item, such as as_of.
    """

    def __init__(
        self, connection: db.Connection, statement: Statement, parameters: Mapping[str, object]
    ) -> None:
        self._cursor = connection.cursor()
        self._statement = statement
        self._parameters = dict(parameters)
        self.is_stopping = False

    def run(self, claim: Claim, retries: int = _IMMEDIATE_RETRIES) -> Result:
        """Process one item.

        Args:
            claim: The item.
            retries: How often a serialization failure or deadlock is tried again at once.

        Raises:
            InterruptedItem: It was cancelled while ``is_stopping`` was set.
            EnvironmentFaultError: It failed as every other item would.
            psycopg.OperationalError: The connection is gone; whether the item was committed
                is not known, and does not matter: it is done, or dirty.
        """
        if self.is_stopping:
            raise InterruptedItem
        begun = time.perf_counter()
        values = self._statement.bind({**claim.values, **self._parameters})
        try:
            self._cursor.execute(self._statement.text, values, prepare=True)
        except (errors.SerializationFailure, errors.DeadlockDetected) as error:
            return self.run(claim, retries - 1) if retries else self._judge(error, begun)
        except psycopg.Error as error:
            return self._judge(error, begun)
        return Result(Outcome.DONE, _milliseconds(begun))

    def _judge(self, error: psycopg.Error, begun: float) -> Result:
        if self._cursor.connection.closed:
            raise error
        state = error.sqlstate or ""
        if state in _HOPELESS:
            raise EnvironmentFaultError(
                f"{reason(error)} [{state}]", "No item can succeed until this is mended."
            )
        if isinstance(error, errors.QueryCanceled) and self.is_stopping:
            raise InterruptedItem from None
        busy = isinstance(error, errors.LockNotAvailable)
        return Result(
            Outcome.BUSY if busy else Outcome.FAILED,
            _milliseconds(begun),
            error.sqlstate or "",
            reason(error),
        )


def reason(error: psycopg.Error) -> str:
    """What the server, or libpq where the connection is lost, says of an error; one line."""
    said = error.diag.message_primary or str(error).strip().partition("\n")[0]
    return said[:_MESSAGE_LENGTH]


def _milliseconds(begun: float) -> float:
    return (time.perf_counter() - begun) * 1000
