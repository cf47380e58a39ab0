"""One item, one transaction, one outcome.

The statement runs in autocommit, so one round trip is the whole transaction. This is the
only place where the failure of an item becomes a value; what is no item's failure raises.
What is done about a failure at once is decided here, by its SQLSTATE::

    40001, 40P01  serialization, deadlock      tried again at once, three times, then failed
    55P03         somebody holds a lock        busy
    57014         the statement timeout        deferred to the slow lane; there, failed
    _HOPELESS     as every item would fare     no outcome: the worker decides
    connection    lost with the item in hand   no outcome: the worker decides
    others        the item's own               failed

How long a failed item is then held is decided in SQL, by sql/engine/hold_items.sql.
"""

import time
from collections.abc import Mapping

import psycopg
from psycopg import errors

from etl import db
from etl.model import Claim, Outcome, Result
from etl.sqlfile import Statement

_IMMEDIATE_RETRIES = 3
# Broken SQL, a missing privilege, function, table or schema; a read-only server; a full disk,
# no memory; another server that this one asks; errors of the system and of the server itself.
# Most often the same for every item. But one item's path through a procedure, its damaged page
# or its size can meet them alone: see Worker.
_HOPELESS = ("08", "42", "53", "58", "XX", "25006", "3F000")
_MESSAGE_LENGTH = 500


class InterruptedItem(Exception):
    """The running statement was cancelled because the cycle stops: no attempt."""


class DeferredItem(Exception):
    """It failed, and should come again later in the cycle.

    Args:
        result: The outcome, should it not.
    """

    def __init__(self, result: Result) -> None:
        super().__init__(result.message)
        self.result = result


class SlowItem(DeferredItem):
    """The statement ran into the timeout, and may come again with a longer one."""


class DoubtfulItem(DeferredItem):
    """It failed as every other item would, most likely."""


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
        self.begun_at: float | None = None
        """When the running statement began, of ``time.monotonic()``; None between two."""

    def run(self, claim: Claim, timeout_s: float, *, may_defer: bool) -> Result:
        """Process one item.

        Args:
            claim: The item.
            timeout_s: The statement timeout in force, seconds.
            may_defer: Whether an item that runs into it gets a second try.

        Raises:
            InterruptedItem: It was cancelled while ``is_stopping`` was set.
            SlowItem: It ran into the timeout, and may be deferred.
            DoubtfulItem: It failed as every other item would, most likely.
            psycopg.OperationalError: The connection is gone; whether the item was committed
                is not known, and does not matter: it is done, or dirty.
        """
        values = self._statement.bind({**claim.values, **self._parameters})
        begun = time.monotonic()
        for retries_left in range(_IMMEDIATE_RETRIES, -1, -1):
            if self.is_stopping:
                raise InterruptedItem
            self.begun_at = time.monotonic()
            try:
                self._cursor.execute(self._statement.text, values, prepare=True)
            except (errors.SerializationFailure, errors.DeadlockDetected) as error:
                if not retries_left or time.monotonic() - begun > timeout_s:
                    return self._failure(error, begun)
            except psycopg.Error as error:
                if may_defer and self._has_timed_out(error, timeout_s):
                    raise SlowItem(self._failure(error, begun)) from None
                return self._failure(error, begun)
            else:
                break
            finally:
                self.begun_at = None
        return Result(Outcome.DONE, _milliseconds(begun))

    def _has_timed_out(self, error: psycopg.Error, timeout_s: float) -> bool:
        """Tell the statement timeout from a cancellation, which has the same SQLSTATE."""
        ran_s = time.monotonic() - (self.begun_at or 0.0)
        is_cancelled = isinstance(error, errors.QueryCanceled)
        return is_cancelled and not self.is_stopping and ran_s >= timeout_s

    def _failure(self, error: psycopg.Error, begun: float) -> Result:
        if self._cursor.connection.closed:
            raise error
        state = error.sqlstate or ""
        if isinstance(error, errors.QueryCanceled) and self.is_stopping:
            raise InterruptedItem from None
        is_busy = isinstance(error, errors.LockNotAvailable)
        outcome = Outcome.BUSY if is_busy else Outcome.FAILED
        result = Result(outcome, _milliseconds(begun), state, reason(error))
        if state.startswith(_HOPELESS):
            raise DoubtfulItem(result)
        return result


def reason(error: psycopg.Error) -> str:
    """What the server, or libpq where the connection is lost, says of an error; one line."""
    said = error.diag.message_primary or str(error).strip().partition("\n")[0]
    return said[:_MESSAGE_LENGTH]


def _milliseconds(begun: float) -> float:
    return (time.monotonic() - begun) * 1000
