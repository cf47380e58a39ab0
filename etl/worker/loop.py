"""The loop of a worker: claim an item, execute it, acknowledge it, claim the next.

Where items are quick, the next one is claimed and sent while the one before still runs. That
one counts as waiting: only the first in hand can have been the cause of a crash.
"""

import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path

from etl.doubts import Doubts
from etl.errors import (
    DatabaseUnreachableError,
    EnvironmentFaultError,
    EtlError,
)
from etl.executor import DoubtfulItem, InterruptedItem, LostItem, SlowItem
from etl.job import load as load_job
from etl.model import Claim, Orders, Outcome, Result
from etl.queue import FileQueue, Queue
from etl.session import Session
from etl.unflushed import Unflushed

_ADMIN_SHUTDOWN = "57P01"
_RECONNECT_S = 60.0
_CONNECT_S = 15.0  # for the first one: the supervisor had just connected
_LONGEST_PAUSE_S = 2.0
_QUICK_MS = 10.0
_RECENT = 3  # one slow item among quick ones, or a moment's wait for a processor, means nothing

CANCEL_S = 5.0
"""How long a cancelled statement may take to end before its connection is cut, seconds."""


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
        self._claimed: Claim | None = None
        self._recent_ms: deque[float] = deque(maxlen=_RECENT)
        self._doubts = Doubts()
        self._given_back: set[str] = set()
        self._unflushed = Unflushed()

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
        is_cancel_overdue = self._cancelled_at is not None and now - self._cancelled_at > CANCEL_S
        if is_cancel_overdue or now - begun_at > self._answer_due_s:
            session.cut()

    def run(self) -> None:
        """Work until the queue is empty, the time is over, or a drain is asked for.

        Raises:
            EtlError: No item can succeed, or there is no database or no queue any more.
        """
        self._reconnect(has_item=False)
        try:
            while (session := self._session) is not None:
                self._fill(session)
                if not session.executor.in_hand:
                    break
                self._settle(session)
        except EtlError:
            self.drain()
            self._finish()
            raise

    def _goes_on(self) -> bool:
        deadline = self._orders.deadline
        return not self._stop.is_set() and (deadline is None or time.monotonic() < deadline)

    def _has_room(self, session: Session) -> bool:
        """Whether to claim one more: the next while the one before runs, where items are quick.

        Not towards the end: it might wait behind a long one while other workers have nothing.
        """
        is_quick = min(self._recent_ms, default=_QUICK_MS) < _QUICK_MS
        is_ahead = is_quick and not self._queue.has_few_left
        return self._goes_on() and len(session.executor.in_hand) <= is_ahead

    def _fill(self, session: Session) -> None:
        """Claim and send items while there is room."""
        executor = session.executor
        while self._claimed is not None or self._has_room(session):
            claim = self._claimed or self._queue.claim(self._orders.number)
            self._claimed = claim
            if claim is None:
                return
            timeout_s = self._timeout_s(claim)
            if executor.in_hand and timeout_s != session.timeout_s:
                return
            self._claimed = None
            if executor.is_stopping:
                self._queue.release(self._orders.number, claim)
                return
            self._answer_due_s = timeout_s + min(10.0, max(1.0, timeout_s))
            try:
                session.limit(timeout_s)
            except DatabaseUnreachableError:  # before the statement began
                self._lost(session, claim, None)
                return
            executor.send(claim)

    def _settle(self, session: Session) -> None:
        """Wait for the next outcome, and see to it."""
        number, executor = self._orders.number, session.executor
        is_slow = executor.in_hand[0].is_slow
        may_defer = not is_slow and session.timeout_s < self._job.slow_statement_timeout_s
        try:
            claim, result = executor.receive(session.timeout_s, may_defer=may_defer)
        except InterruptedItem as item:
            self._queue.release(number, item.claim)
            if executor.in_hand:
                session.cancel()
        except SlowItem as item:
            self._doubts.dispel(is_done=False)
            self._queue.defer(number, item.claim, item.result, is_slow=True)
        except DoubtfulItem as item:
            self._doubt(item.claim, item.result)
        except LostItem as item:
            self._lost(session, item.claim, item.result)
        else:
            is_done = result.outcome is Outcome.DONE
            self._doubts.dispel(is_done=is_done)
            if is_done:
                self._unflushed.add(claim, session.flushed_within_s)
                self._recent_ms.append(result.duration_ms)
            else:
                self._recent_ms.clear()
            self._acknowledge(session, claim, result)

    def _acknowledge(self, session: Session, claim: Claim, result: Result) -> None:
        if self._claimed is None and self._has_room(session):
            self._claimed = self._queue.exchange(self._orders.number, claim, result)
        else:
            self._queue.acknowledge(self._orders.number, claim, result)

    def _finish(self) -> None:
        """See to what is in hand before an error ends the worker, as far as that goes."""
        with suppress(EtlError):
            while (session := self._session) is not None and session.executor.in_hand:
                self._settle(session)
            if self._claimed is not None:
                self._queue.release(self._orders.number, self._claimed)

    def _timeout_s(self, claim: Claim) -> float:
        """The statement timeout of a claim; in the slow lane as long as the cycle's time allows."""
        ordinary, slow = self._job.statement_timeout_s, self._job.slow_statement_timeout_s
        if not claim.is_slow:
            return ordinary
        deadline = self._orders.deadline
        return slow if deadline is None else min(slow, deadline - time.monotonic() + ordinary)

    def _doubt(self, claim: Claim, result: Result) -> None:
        """See to an item that failed as every other one would.

        Where the cycle ends before it comes again, it pays an attempt as well: two items that
        stand side by side would else stop every cycle at the same place.

        Raises:
            EnvironmentFaultError: Every other one would.
        """
        number, key = self._orders.number, claim.item_key
        if self._doubts.is_own(key):
            self._queue.acknowledge(number, claim, result)
            return
        self._queue.defer(number, claim, result, is_slow=claim.is_slow)
        if self._doubts.is_everybodys(key):
            raise EnvironmentFaultError(
                f"{result.message} [{result.sqlstate}]", "No item can succeed until this is mended."
            )

    def _lost(self, session: Session, claim: Claim, result: Result | None) -> None:
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
        waiting = [waits for waits in session.executor.in_hand if waits is not claim]
        try:
            successor = self._reconnect(has_item=True)
            self._end_predecessors(successor)
        except EtlError:
            self._take_back(is_needed=not was_orderly)
            self._queue.release(number, claim)
            raise
        finally:
            session.close()
            for waits in waiting:
                self._queue.release(number, waits)
        is_doubtful = successor is None or session.lost_commits_before(successor)
        self._take_back(is_needed=is_doubtful and not was_orderly)
        if result is None or successor is None:
            self._queue.release(number, claim)
        elif claim.item_key in self._given_back or not session.went_down_before(successor):
            self._queue.acknowledge(number, claim, result)
        else:
            self._given_back.add(claim.item_key)
            self._queue.defer(number, claim, result, is_slow=claim.is_slow)

    @staticmethod
    def _end_predecessors(session: Session | None) -> None:
        with suppress(EtlError):  # where this one is lost as well, the next statement tells
            if session is not None:
                session.end_predecessors()

    def _take_back(self, *, is_needed: bool) -> None:
        """Take back what may not be on the server's disk; where nobody knows, too."""
        undone = self._unflushed.pop_all()
        for claim in undone if is_needed else ():
            self._queue.take_back(self._orders.number, claim)

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
