"""A worker process: claim an item, execute it, acknowledge it, claim the next.

It is started by a supervisor, which sends one line of JSON on standard input: the
connection string comes that way and so is in no process list. After that line standard
input is how the supervisor is heard:

``drain``          finish the item in hand, then end
``cancel``         cancel the running statement as well, give the item back, end
end of the file    the supervisor is gone: as ``cancel``, and end at once

A thread listens, because the main one waits for the database; it also cuts a connection on
which no answer comes. Nothing else is shared with the supervisor but the queue. Exit status:
0 when done, else as for every error.
"""

import json
import os
import select
import signal
import sys
import threading
import time
from collections import deque
from io import FileIO, RawIOBase
from pathlib import Path

import psycopg

from etl.errors import DatabaseUnreachableError, EnvironmentFaultError, EtlError
from etl.executor import DoubtfulItem, InterruptedItem, SlowItem, reason
from etl.job import load as load_job
from etl.model import Claim, Orders, Outcome, Result
from etl.queue import FileQueue, Queue
from etl.session import Session

LOST = "08006"
"""SQLSTATE connection_failure, of an attempt whose connection was lost."""

_ADMIN_SHUTDOWN = "57P01"
_RECONNECT_S = 60.0
_CONNECT_S = 15.0  # for the first one: the supervisor had just connected
_LONGEST_PAUSE_S = 2.0
_LISTEN_S = 1.0
_CANCEL_S = 5.0
_IN_A_ROW = 3


class Worker:
    """The loop of one worker.

    Args:
        orders: What to do.
    """

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._job = load_job(Path(orders.job_folder))
        self._queue: Queue = FileQueue(Path(orders.queue_folder))
        self._stop = threading.Event()
        self._session: Session | None = None
        self._answer_due_s = 0.0
        self._cancelled_at: float | None = None
        self._in_a_row: list[str] = []
        self._doubted: set[str] = set()
        self._given_back: set[str] = set()
        self._unflushed: deque[tuple[float, Claim]] = deque()
        self._has_done = False

    def drain(self) -> None:
        """Claim no more."""
        self._stop.set()

    def cancel(self) -> None:
        """Claim no more, and cancel the running statement."""
        self.drain()
        self._cancelled_at = self._cancelled_at or time.monotonic()
        if self._session is not None:
            self._session.cancel()

    def watch(self) -> None:
        """Cut the connection where an answer is overdue: the server would have timed out.

        The kernel notices a network that is gone; this notices a server that is there and
        has stopped working, which no timeout of its own can end.
        """
        session, now = self._session, time.monotonic()
        begun_at = session.executor.begun_at if session is not None else None
        if session is None or begun_at is None:
            return
        is_cancel_overdue = self._cancelled_at is not None and now - self._cancelled_at > _CANCEL_S
        if is_cancel_overdue or now - begun_at > self._answer_due_s:
            session.cut()

    def run(self) -> None:
        """Work until the queue is empty, the time is over, or a drain is asked for.

        Raises:
            EtlError: No item can succeed, or there is no database or no queue any more.
        """
        number = self._orders.number
        session = self._reconnect(has_item=False)
        while session and self._goes_on() and (claim := self._queue.claim(number)) is not None:
            result = self._attempt(session, claim)
            if result is not None:
                self._queue.acknowledge(number, claim, result)
            session = self._session

    def _goes_on(self) -> bool:
        deadline = self._orders.deadline
        return not self._stop.is_set() and (deadline is None or time.monotonic() < deadline)

    def _attempt(self, session: Session, claim: Claim) -> Result | None:
        """Process an item. Returns its outcome; None where it was given back without one."""
        number = self._orders.number
        timeout_s = self._timeout_s(claim)
        may_defer = not claim.is_slow and timeout_s < self._job.slow_statement_timeout_s
        self._answer_due_s = timeout_s + min(10.0, max(1.0, timeout_s))
        try:
            session.limit(timeout_s)
            result = session.executor.run(claim, timeout_s, may_defer=may_defer)
        except InterruptedItem:
            self._queue.release(number, claim)
        except SlowItem as item:
            self._in_a_row.clear()  # it ran, and so it may
            self._queue.defer(number, claim, item.result, is_slow=True)
        except DoubtfulItem as item:
            return self._doubt(claim, item.result)
        except DatabaseUnreachableError:  # before the statement began
            return self._lost(session, claim, None)
        except psycopg.Error as error:
            lost = Result(Outcome.FAILED, 0.0, error.sqlstate or LOST, reason(error))
            return self._lost(session, claim, lost)
        else:
            self._in_a_row.clear()
            if result.outcome is Outcome.DONE:
                self._remember(session, claim)
            self._has_done = self._has_done or result.outcome is Outcome.DONE
            return result
        return None

    def _remember(self, session: Session, claim: Claim) -> None:
        """Keep the items whose commits may not be on the server's disk yet."""
        now = time.monotonic()
        self._unflushed.append((now, claim))
        while self._unflushed[0][0] < now - session.flushed_within_s:
            self._unflushed.popleft()

    def _timeout_s(self, claim: Claim) -> float:
        """The statement timeout of a claim; in the slow lane as long as the cycle's time allows."""
        ordinary, slow = self._job.statement_timeout_s, self._job.slow_statement_timeout_s
        if not claim.is_slow:
            return ordinary
        deadline = self._orders.deadline
        return slow if deadline is None else min(slow, deadline - time.monotonic() + ordinary)

    def _doubt(self, claim: Claim, result: Result) -> Result | None:
        """Find out whose fault it is: everybody's where several items in a row meet it.

        Who meets it goes to the end of the queue. When it comes again and meets it again, the
        fault is its own. Where the cycle ends before, it pays an attempt as well: two items
        that stand side by side would else stop every cycle at the same place.

        Raises:
            EnvironmentFaultError: It is everybody's.
        """
        key = claim.item_key
        if key in self._doubted and (self._has_done or key not in self._in_a_row):
            return result
        self._queue.defer(self._orders.number, claim, result, is_slow=claim.is_slow)
        if key in self._in_a_row or len(self._in_a_row) == _IN_A_ROW - 1:
            raise EnvironmentFaultError(
                f"{result.message} [{result.sqlstate}]", "No item can succeed until this is mended."
            )
        self._in_a_row.append(key)
        self._doubted.add(key)
        return None

    def _lost(self, session: Session, claim: Claim, result: Result | None) -> Result | None:
        """Connect again after the connection was lost with an item in hand.

        Where only this session was ended, the item may have been the cause, and the attempt
        counts. Where the server went down it is given back, once: an item that takes the
        server down with it must not do so for ever.

        Args:
            session: The one that was lost.
            claim: The item.
            result: Its outcome, should it be to blame; None where it cannot be.
        """
        number = self._orders.number
        was_orderly = result is not None and result.sqlstate == _ADMIN_SHUTDOWN
        try:
            successor = self._reconnect(has_item=True)
        except EtlError:
            self._take_back(is_needed=not was_orderly)
            self._queue.release(number, claim)
            raise
        finally:
            session.close()
        is_doubtful = successor is None or session.lost_commits_before(successor)
        self._take_back(is_needed=is_doubtful and not was_orderly)
        if result is None or successor is None:
            self._queue.release(number, claim)
            return None
        if claim.item_key in self._given_back or not session.went_down_before(successor):
            return result
        self._given_back.add(claim.item_key)
        self._queue.defer(number, claim, result, is_slow=claim.is_slow)
        return None

    def _take_back(self, *, is_needed: bool) -> None:
        """Take back what may not be on the server's disk; where nobody knows, too."""
        for _, done in self._unflushed if is_needed else ():
            self._queue.take_back(self._orders.number, done)
        self._unflushed.clear()

    def _reconnect(self, *, has_item: bool) -> Session | None:
        """Wait for the server.

        Args:
            has_item: Whether this worker has something to do, even if the queue has not.

        Returns:
            None where there is nothing to do any more.
        """
        self._session = None
        patient_until = time.monotonic() + (_RECONNECT_S if has_item else _CONNECT_S)
        pause_s = 0.1
        while self._goes_on():
            try:
                self._session = Session(self._orders, self._job)
            except DatabaseUnreachableError:
                if time.monotonic() > patient_until:
                    raise
                self._stop.wait(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            else:
                return self._session
            if not has_item and not self._queue.depth():
                break  # too many connections, say, and those who have one did it all
        return None


def _listen(worker: Worker, orders: RawIOBase) -> None:
    while True:
        if not select.select([orders], [], [], _LISTEN_S)[0]:
            worker.watch()
            continue
        line = orders.readline()
        if line == b"drain\n":
            worker.drain()
        elif line == b"cancel\n":
            worker.cancel()
        elif not line:
            break
    worker.cancel()
    # The item in hand may have been committed: leave the main thread the time to say so.
    threading.main_thread().join(timeout=_CANCEL_S)
    os._exit(1)


def main() -> None:
    """Run one worker by the orders on standard input."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # Unbuffered: a thread that waits in a buffered read would break the interpreter's end.
    orders = FileIO(sys.stdin.fileno(), closefd=False)
    line = orders.readline()
    if not line:  # the supervisor has died already
        sys.exit(1)
    try:
        worker = Worker(Orders(**json.loads(line)))
        signal.signal(signal.SIGTERM, lambda _number, _frame: worker.drain())
        # The supervisor starts workers with it blocked: until now it would have been their end.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        threading.Thread(target=_listen, args=(worker, orders), daemon=True).start()
        worker.run()
    except EtlError as error:
        sys.stderr.write(error.message)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
