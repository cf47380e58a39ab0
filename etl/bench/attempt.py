"""One item in a transaction that is rolled back, by the executor of a cycle.

What a cycle runs as one statement in autocommit stands here between BEGIN and ROLLBACK, which
are timed apart. A statement that ends transactions itself cannot be taken back: the server
refuses it inside a transaction, and so does this.
"""

import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psycopg
from psycopg.pq import TransactionStatus

from etl import db
from etl.errors import DatabaseUnreachableError, UsageError
from etl.job import Job
from etl.model import Claim, Result
from etl.sqlfile import shipped
from etl.worker.executor import ENDS_TRANSACTIONS, Executor
from etl.worker.unsettled import DoubtfulItem, LostItem

_CANCEL_S = 5.0
_ABORTED = "25P02"


@contextmanager
def session(target: db.Target, name: str) -> Generator[db.Connection]:
    """A connection whose running statement is cancelled where its user is interrupted.

    Args:
        target: Where to.
        name: What a DBA reads in pg_stat_activity.
    """
    with db.connect(target, name) as connection:
        try:
            yield connection
        except BaseException:
            with suppress(psycopg.Error):
                connection.cancel_safe(timeout=_CANCEL_S)
            connection.close()
            raise


def settle_session(connection: db.Connection, job: Job, longest_s: float) -> None:
    """Give a session the settings of a worker's.

    Args:
        connection: The session.
        job: Has the timeouts.
        longest_s: A statement may not take longer than that either, seconds.
    """
    statement_timeout_s = max(0.001, min(job.statement_timeout_s, longest_s))
    db.run(
        connection,
        shipped("session/set_worker_session"),
        **job.session_settings(statement_timeout_s),
    )


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of an item, and how long it took.

    Attributes:
        result: Its outcome.
        is_doubtful: Whether it failed as every other item would, most likely.
        begin_s: BEGIN: a round trip with nothing to do, seconds.
        statement_s: The statement, seconds.
    """

    result: Result
    is_doubtful: bool
    begin_s: float
    statement_s: float


class RolledBack:
    """Runs a job's statement for one item after the other, and takes each back.

    Args:
        connection: In autocommit, settled; used by nobody else.
        job: The job.
        parameters: Values that are the same for every item.
    """

    def __init__(
        self, connection: db.Connection, job: Job, parameters: Mapping[str, object]
    ) -> None:
        self._connection = connection
        self._job = job
        self._executor = Executor(connection, job.transaction, parameters)

    def attempt(self, claim: Claim) -> Attempt:
        """Run the statement for one item, and roll it back.

        Raises:
            UsageError: The statement ends transactions itself, or cannot run inside one.
            DatabaseUnreachableError: The connection is lost.
        """
        begun = time.perf_counter()
        with db.explained(self._connection, self._job.process):
            self._connection.execute("BEGIN")
        ready = time.perf_counter()
        try:
            result, is_doubtful = self._within(claim)
            ended = time.perf_counter()
        finally:
            with suppress(psycopg.Error):  # the connection is lost, and the transaction with it
                self._connection.execute("ROLLBACK")
        return Attempt(result, is_doubtful, ready - begun, ended - ready)

    def _within(self, claim: Claim) -> tuple[Result, bool]:
        is_doubtful = False
        try:
            result = self._executor.run(claim, self._job.statement_timeout_s, may_defer=False)
        except DoubtfulItem as item:
            result, is_doubtful = item.result, True
        except LostItem as item:
            raise DatabaseUnreachableError(
                f"the connection was lost: {item.result.message}", "Check that the server runs."
            ) from None
        has_ended = self._connection.info.transaction_status == TransactionStatus.IDLE
        if has_ended or result.sqlstate in ENDS_TRANSACTIONS:
            raise UsageError(
                f"{self._job.process.path}: the statement ends transactions itself, or cannot run "
                f"inside one: {result.message} [{result.sqlstate}]",
                "What cannot be rolled back cannot be measured without changing anything.",
            )
        if result.sqlstate == _ABORTED:  # the executor's second try, as a cycle makes it
            said = "met a deadlock or serialization failure, after which a cycle tries again"
            result = result._replace(message=said)
        return result, is_doubtful
