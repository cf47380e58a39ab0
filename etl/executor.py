"""One item, one transaction, one outcome.

The statement runs in autocommit, so one round trip is the whole transaction. This is the
only place where the failure of an item becomes a value; everything else raises.
"""

import time
from collections.abc import Mapping

import psycopg
from psycopg import errors

from etl import db
from etl.model import Claim, Outcome, Result
from etl.sqlfile import Statement

_IMMEDIATE_RETRIES = 3
_MESSAGE_LENGTH = 500


class InterruptedItem(Exception):  # noqa: N818 - no error: a person asked for it
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

    def run(self, claim: Claim) -> Result:
        """Process one item.

        Raises:
            InterruptedItem: It was cancelled while ``is_stopping`` was set.
            psycopg.OperationalError: The connection is gone; whether the item was committed
                is not known, and does not matter: it is done, or dirty.
        """
        begun = time.perf_counter()
        values = self._statement.bind({**claim.values, **self._parameters})
        for retries_left in range(_IMMEDIATE_RETRIES, -1, -1):
            try:
                self._cursor.execute(self._statement.text, values, prepare=True)
                return Result(Outcome.DONE, _milliseconds(begun))
            except (errors.SerializationFailure, errors.DeadlockDetected) as error:
                if not retries_left:
                    return _failure(error, Outcome.FAILED, begun)
            except errors.LockNotAvailable as error:
                return _failure(error, Outcome.BUSY, begun)
            except errors.QueryCanceled as error:
                if self.is_stopping:
                    raise InterruptedItem from None
                return _failure(error, Outcome.FAILED, begun)
            except psycopg.Error as error:
                if self._cursor.connection.closed:
                    raise
                return _failure(error, Outcome.FAILED, begun)
        raise AssertionError("unreachable: the last retry returns")


def _failure(error: psycopg.Error, outcome: Outcome, begun: float) -> Result:
    message = error.diag.message_primary or str(error)
    return Result(outcome, _milliseconds(begun), error.sqlstate or "", message[:_MESSAGE_LENGTH])


def _milliseconds(begun: float) -> float:
    return (time.perf_counter() - begun) * 1000
