"""A worker's connection: its settings, its statement timeout, and how it ended.

When a connection is lost with an item in hand, it matters who was to blame. The server says
so, if one listens: a session that is ended because another one crashed, or because the server
stops at once, gets a notice before the end; and a server that was started anew is younger
than the session that it lost. Otherwise this session alone was ended: its process crashed, or
somebody terminated it, and the item may have been the cause.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime

import psycopg
from psycopg.errors import Diagnostic

from etl import db
from etl.errors import EtlError, FileError
from etl.job import Job
from etl.model import Claim, Orders
from etl.queue import Frame
from etl.settings import milliseconds
from etl.sqlfile import Statement, shipped
from etl.worker.executor import Executor

_SERVER_CRASHED = "57P02"
_ANSWER_S = 10.0


def session_name(job: Job, worker: int | str = "%", instance: str = "") -> str:
    """The application_name of a worker's connections, for a DBA in pg_stat_activity.

    Args:
        job: What runs there.
        worker: Its number; or a pattern (LIKE) of several, by default of all.
        instance: Of which service, where several may run at once; empty: there is but one cycle.
    """
    of_service = f" {instance}" if instance else ""
    return f"etl:{job.command} w{worker}{of_service}"


def end_sessions(connection: db.Connection, name: str) -> None:
    """End what the server still runs for workers that are gone, and wait for that.

    Args:
        connection: Not one of theirs.
        name: A ``session_name``, or a pattern of it.
    """
    db.run(connection, shipped("session/end_worker_sessions"), name=name)


class Session:
    """One connection of a worker, from its beginning to its end.

    Args:
        orders: Where to connect to.
        job: What runs here.
        frame: What the queue has run around the items' statements; None: nothing.

    Attributes:
        timeout_s: The statement timeout in force, seconds.
        flushed_within_s: A commit is on the server's disk after that many seconds.
        executor: Runs the job's statement here.
        heard_of_crash: The server has told that the session ends because another one crashed.

    Raises:
        EtlError: No connection was had.
    """

    def __init__(self, orders: Orders, job: Job, frame: Frame | None = None) -> None:
        self._name = session_name(job, orders.number, orders.instance)
        self._job, self._deadline = job, orders.deadline
        self.heard_of_crash = False
        self._connection = db.connect(db.Target(orders.dsn, orders.label), self._name)
        self._connection.add_notice_handler(self._hear)
        # After a ROLLBACK psycopg gives up what it has prepared itself by DEALLOCATE ALL, and the
        # statements of items and queue would go with that.
        self._connection.prepare_threshold = None
        self.timeout_s = job.statement_timeout_s
        with db.answered_within(self._connection, _ANSWER_S), db.uncancelled(self._connection):
            started_at, whole_since, flushed_within_s, *_ = db.one(
                self._connection,
                shipped("session/set_worker_session"),
                **job.session_settings(),
            )
        self._server_started_at: datetime = started_at
        self._server_whole_since: datetime = whole_since
        self.flushed_within_s: float = flushed_within_s
        self.executor = Executor(self._connection, job.transaction, orders.parameters, frame)

    def lend(self, use: Callable[[db.Connection], object]) -> None:
        """Let a queue claim over this connection; it is given up where that fails."""
        try:
            use(self._connection)
        except BaseException:
            self._connection.close()
            raise

    def _hear(self, notice: Diagnostic) -> None:
        self.heard_of_crash |= notice.sqlstate == _SERVER_CRASHED

    def allowed_s(self, claim: Claim) -> float:
        """The statement timeout of a claim; in the slow lane as long as the cycle's time allows."""
        ordinary, slow = self._job.statement_timeout_s, self._job.slow_statement_timeout_s
        if not claim.is_slow:
            return ordinary
        return (
            slow
            if self._deadline is None
            else min(slow, self._deadline - time.monotonic() + ordinary)
        )

    def limit(self, timeout_s: float) -> None:
        """Set the statement timeout, where it is another one.

        Raises:
            DatabaseUnreachableError: The connection is lost.
        """
        if timeout_s != self.timeout_s:
            statement = shipped("session/set_statement_timeout")
            with db.answered_within(self._connection, _ANSWER_S), db.uncancelled(self._connection):
                db.run(self._connection, statement, statement_timeout=milliseconds(timeout_s))
            self.timeout_s = timeout_s

    def ask(self, statement: Statement, values: Mapping[str, object]) -> db.Row:
        """The one row of a quick query, between two items. Where it fails, nothing else is undone.

        Raises:
            DatabaseUnreachableError: The connection is lost.
            FileError: The server refuses it.
        """
        within = db.answered_within(self._connection, self.timeout_s + _ANSWER_S)
        with within, self._connection.transaction():
            return db.one(self._connection, statement, **values)

    def end_predecessors(self) -> None:
        """End what the server still runs for a connection that this worker has lost.

        Where this one is lost as well, the next statement tells.
        """
        with suppress(EtlError), db.answered_within(self._connection, _ANSWER_S):
            end_sessions(self._connection, self._name)

    def flush(self) -> None:
        """Wait until all that was committed here is on the server's disk.

        Raises:
            DatabaseUnreachableError: The connection is lost.
        """
        # Where the server only refuses, as after a signal, it will be there in a moment anyway.
        with suppress(FileError), db.answered_within(self._connection, _ANSWER_S):
            db.run(self._connection, shipped("session/flush_commits"))

    def went_down_before(self, successor: "Session") -> bool:
        """Whether the server ended, and not this session alone, given the next connection."""
        return self.heard_of_crash or self._server_started_at != successor._server_started_at

    def lost_commits_before(self, successor: "Session") -> bool:
        """Whether the server may have lost commits of this session, given the next connection."""
        return (
            self._server_started_at != successor._server_started_at
            or self._server_whole_since != successor._server_whole_since
        )

    def cancel(self) -> None:
        """Ask the server to cancel the running statement; from any thread."""
        self.executor.is_stopping = True
        with suppress(psycopg.Error):  # the connection is gone, and the statement with it
            self._connection.cancel_safe(timeout=5)

    def close(self) -> None:
        """Let it go, where it is lost."""
        self._connection.close()

    def cut(self) -> None:
        """End a connection on which nobody answers; whoever waits for it sees it lost."""
        db.cut(self._connection)
