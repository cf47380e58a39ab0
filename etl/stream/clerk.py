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
from etl.sqlfile import shipped
from etl.worker.session import session_name

_PING_S = 2.0
_ANSWER_S = 10.0
_FORGET_S = 60.0
_AT_ONCE = 5000  # ids forgotten in one transaction


class Clerk:
    """Works for one service.

    Args:
        target: The database.
        job: What the service is about.
        instance: The service's name among others.
        tell: Called from the thread, with what the loop of the service shall do.

    Attributes:
        is_connected: Whether the server answered the last time.
        reason: Why it did not.
    """

    def __init__(
        self,
        target: db.Target,
        job: Job,
        instance: str,
        tell: Callable[[Callable[[], None]], None],
    ) -> None:
        self._target = target
        self._job = job
        self._instance = instance
        self._tell = tell
        self._tasks: queue.SimpleQueue[tuple[int, Callable[[], None]] | None] = queue.SimpleQueue()
        self._connection: db.Connection | None = None
        self._forget_at = time.monotonic()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.is_connected = False
        self.reason = ""

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
        waiting: list[tuple[int, Callable[[], None]]] = []
        while True:
            if self._attempt(waiting):
                for _, then in waiting:
                    self._tell(then)
                waiting = []
            try:
                task = self._tasks.get(timeout=0.2 if waiting else _PING_S)
            except queue.Empty:
                continue
            if task is None:
                break
            waiting.append(task)
        if self._connection is not None:
            self._connection.close()

    def _attempt(self, waiting: list[tuple[int, Callable[[], None]]]) -> bool:
        """Do what is due; False where there is no database for it."""
        try:
            connection = self._connected()
            with db.reached(), db.answered_within(connection, _ANSWER_S):
                db.run(connection, shipped("stream/ping"))
                for worker, _ in waiting:
                    name = session_name(self._job, worker, self._instance)
                    db.run(connection, shipped("session/end_worker_sessions"), name=name)
                self._forget(connection)
        except EtlError as error:
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            self.is_connected, self.reason = False, error.message
            return False
        self.is_connected, self.reason = True, ""
        return True

    def _connected(self) -> db.Connection:
        if self._connection is None or self._connection.closed:
            self._connection = db.connect(self._target, f"etl:{self._job.command} {self._instance}")
        return self._connection

    def _forget(self, connection: db.Connection) -> None:
        stream = self._job.stream
        if stream is None or time.monotonic() < self._forget_at:
            return
        (forgotten,) = db.one(
            connection,
            shipped("stream/forget_messages"),
            job=self._job.name,
            keep_days=stream.keep_ids_days,
            now=datetime.now(UTC),
            most=_AT_ONCE,
        )
        if forgotten < _AT_ONCE:
            self._forget_at = time.monotonic() + _FORGET_S
