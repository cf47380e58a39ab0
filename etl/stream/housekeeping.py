"""What the service itself has to do in the database, in a thread: nobody else waits for it.

It sees whether the server answers, ends the sessions of workers that died, and forgets the ids of
messages that were done long ago.
"""

import queue
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from etl import db
from etl.errors import EtlError
from etl.job import Job
from etl.job.shape import Stream
from etl.sqlfile import shipped
from etl.worker.session import session_name

_PING_S = 2.0
_ANSWER_S = 10.0
_FORGET_S = 60.0
_AT_ONCE = 5000  # ids forgotten in one transaction

_Task = tuple[int, Callable[[], None]]


class Housekeeper:
    """Works for one service.

    Args:
        target: The database.
        job: What the service is about.
        stream: How long ids are kept.
        instance: The service's name among others.
        later: Called from the thread, with what the loop of the service shall do.

    Attributes:
        trouble: Why the server did not answer the last time; empty where it did.
    """

    def __init__(
        self,
        target: db.Target,
        job: Job,
        stream: Stream,
        instance: str,
        later: Callable[[Callable[[], None]], None],
    ) -> None:
        self._target = target
        self._job = job
        self._keep_days = stream.keep_ids_days
        self._instance = instance
        self._later = later
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._connection: db.Connection | None = None
        self._forget_at = time.monotonic()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.trouble = "no connection to the database yet"

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def end_session(self, worker: int, then: Callable[[], None]) -> None:
        """See to it that the server does nothing any more for a worker that is gone.

        Args:
            worker: Its number.
            then: Called in the service's loop, once that is so.
        """
        self._tasks.put((worker, then))

    def stop(self) -> None:
        """End the thread."""
        self._tasks.put(None)
        self._thread.join(_ANSWER_S + 1)

    def _work(self) -> None:
        gone: list[_Task] = []
        while True:
            self._attempt(gone)
            try:
                task = self._tasks.get(timeout=0.2 if gone else _PING_S)
            except queue.Empty:
                continue
            if task is None:
                break
            gone.append(task)
        if self._connection is not None:
            self._connection.close()

    def _attempt(self, gone: list[_Task]) -> None:
        """Do what is due, as far as there is a database for it."""
        try:
            connection = self._connected()
            with db.reached(), db.answered_within(connection, _ANSWER_S):
                db.run(connection, shipped("stream/ping"))
                while gone:
                    worker, then = gone[0]
                    name = session_name(self._job, worker, self._instance)
                    db.run(connection, shipped("session/end_worker_sessions"), name=name)
                    self._later(then)
                    del gone[0]
                self._forget(connection)
        except EtlError as error:
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            self.trouble = error.message
        else:
            self.trouble = ""

    def _connected(self) -> db.Connection:
        if self._connection is None or self._connection.closed:
            self._connection = db.connect(self._target, f"etl:{self._job.command} {self._instance}")
        return self._connection

    def _forget(self, connection: db.Connection) -> None:
        if time.monotonic() < self._forget_at:
            return
        (forgotten,) = db.one(
            connection,
            shipped("stream/forget_messages"),
            job=self._job.name,
            keep_days=self._keep_days,
            now=datetime.now(UTC),
            most=_AT_ONCE,
        )
        if forgotten < _AT_ONCE:
            self._forget_at = time.monotonic() + _FORGET_S
