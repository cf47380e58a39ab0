"""The loop of a worker: claim an item, execute it, acknowledge it, claim the next.

Where items are quick, some more are claimed and sent while one runs: a millisecond of work.
They count as waiting: only the first in hand can have been the cause of a crash.
"""

import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from etl.errors import DatabaseUnreachableError, EnvironmentFaultError, EtlError
from etl.job import load as load_job
from etl.model import Claim, Orders, Outcome, Result
from etl.worker.connecting import connect
from etl.worker.doubts import Doubts
from etl.worker.gate import Gate
from etl.worker.pace import pace_of
from etl.worker.queues import queue_of
from etl.worker.session import Session
from etl.worker.unflushed import Unflushed
from etl.worker.unsettled import DoubtfulItem, InterruptedItem, SlowItem, UnsettledItem

_ASK_AGAIN_S = 0.5  # whether what others have in hand has come free
CANCEL_S = 5.0  # for a cancelled statement to end, before its connection is cut


class Worker:
    """The loop of one worker.

    Args:
        orders: What to do.
    """

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._job = load_job(Path(orders.job_folder)).sized(orders.batch_size)
        self._gate = Gate(orders.deadline)
        self._queue = queue_of(orders, self._job, self._gate)
        self._session: Session | None = None
        self._answer_due_s = 0.0
        self._cancelled_at: float | None = None
        self._claimed: deque[Claim] = deque()
        self._pace = pace_of(self._job)
        self._doubts = Doubts()
        self._unflushed = Unflushed()

    def drain(self) -> None:
        """Claim no more."""
        self._gate.stop()

    def pause(self, *, is_paused: bool) -> None:
        """Claim nothing for now, or claim again."""
        self._gate.pause(is_paused=is_paused)

    def cancel(self) -> None:
        """Claim no more, and cancel the running statement."""
        self.drain()
        self._cancelled_at = self._cancelled_at or time.monotonic()
        if self._session is not None:
            self._session.cancel()

    def watch(self) -> None:
        """Cut the connection where an answer is overdue: the server would have timed out.

        The kernel notices a network that is gone; this, a server that has stopped working. It
        cancels again, too: a server that was between two statements then has forgotten it.
        """
        session, now, since = self._session, time.monotonic(), self._cancelled_at
        if session is None or (begun_at := session.executor.begun_at) is None:
            return
        if now - begun_at > self._answer_due_s or (since is not None and now - since > CANCEL_S):
            session.cut()
        elif since is not None:
            session.cancel()

    def run(self) -> None:
        """Work until the queue is empty, the time is over, or a drain is asked for.

        Raises:
            EtlError: No item can succeed, or there is no database or no queue any more.
        """
        self._reconnect(has_item=False)
        try:
            while (session := self._session) is not None:
                if session.executor.in_hand or self._claimed or self._gate.pass_through():
                    self._fill(session)
                if session.executor.in_hand:
                    self._settle(session)
                elif session is self._session and self._is_over(session):
                    break  # where it was lost, the next one goes on
        except EtlError:
            self.drain()
            self._finish()
            raise
        self._finish()

    def _is_over(self, session: Session) -> bool:
        """Whether there is nothing left to do; else this worker stays for what may come."""
        if self._queue.others_have_some and not self._gate.is_over:
            self._gate.wait(_ASK_AGAIN_S)
            return False
        return self._is_durable(session)

    def _is_durable(self, session: Session) -> bool:
        """Whether what was done stays done; else this worker stays, to do again what does not."""
        try:
            if self._unflushed:
                session.flush()
        except DatabaseUnreachableError:
            self._lost(session, None)
            return False
        return True

    def _room(self, session: Session) -> int:
        """How many items to claim.

        Towards the end no more than the one that runs: they might wait behind a long one while
        other workers have nothing.
        """
        if not self._gate.is_open:
            return 0
        depth = 1 if self._queue.has_few_left else self._pace.depth
        return depth - len(session.executor.in_hand)

    def _fill(self, session: Session) -> None:
        """Send what is claimed; claim where there is nothing in hand."""
        executor, number = session.executor, self._orders.number
        if not self._claimed and not executor.in_hand:
            self._claim(session, (), 1)
        while self._claimed:
            claim = self._claimed[0]
            timeout_s = session.allowed_s(claim)
            if executor.in_hand and (timeout_s != session.timeout_s or not executor.is_prepared):
                return
            if executor.is_stopping or (self._pace.is_divisible and not self._gate.pass_through()):
                self._queue.release(number, self._claimed.popleft())
                continue
            self._answer_due_s = timeout_s + min(10.0, max(1.0, timeout_s))
            try:
                session.limit(timeout_s)
                part = self._pace.part_of(session, claim)
            except DatabaseUnreachableError:  # before the statement began
                self._lost(session, None)
                return
            self._claimed.popleft()
            executor.send(part)

    def _settle(self, session: Session) -> None:
        """Wait for the next outcomes, and see to them."""
        executor = session.executor
        is_last = executor.in_hand[0].is_slow or self._pace.is_divisible
        may_defer = not is_last and session.timeout_s < self._job.slow_statement_timeout_s
        settled: list[tuple[Claim, Result]] = []
        trouble: InterruptedItem | UnsettledItem | None = None
        while trouble is None and (not settled or executor.has_answer()):
            try:
                claim, result = executor.receive(session.timeout_s, may_defer=may_defer)
            except (InterruptedItem, UnsettledItem) as error:
                trouble = error
            else:
                if again := self._pace.smaller(session, claim, result):
                    self._claimed.appendleft(again)
                    return
                settled.append((claim, result))
                self._note(session, claim, result)
        if settled:
            self._acknowledge(session, settled, may_claim=trouble is None)
        if trouble is not None:
            self._see_to(session, trouble)

    def _note(self, session: Session, claim: Claim, result: Result) -> None:
        is_done = result.outcome is Outcome.DONE
        self._doubts.dispel(is_done=is_done)
        self._pace.note(claim, result)
        if is_done and not self._job.commits_at_once:
            self._unflushed.add(claim.position, session.flushed_within_s)

    def _acknowledge(
        self, session: Session, settled: list[tuple[Claim, Result]], *, may_claim: bool
    ) -> None:
        has_more = self._claimed or settled[-1][0].rest
        room = self._room(session) if may_claim and not has_more else 0
        self._claim(session, settled, max(0, room))

    def _claim(self, session: Session, settled: Sequence[tuple[Claim, Result]], most: int) -> None:
        """Acknowledge these, and claim up to so many; with a lost connection they are free."""
        try:
            self._claimed.extend(self._queue.exchange(self._orders.number, settled, most))
        except DatabaseUnreachableError:
            self._claimed.extend([claim for claim, _ in settled])
            self._lost(session, None)

    def _see_to(self, session: Session, trouble: InterruptedItem | UnsettledItem) -> None:
        """See to an item that came to no outcome of its own."""
        number, claim = self._orders.number, trouble.claim
        match trouble:
            case InterruptedItem():
                self._queue.release(number, claim)
                if session.executor.in_hand:
                    session.cancel()
            case SlowItem():
                self._doubts.dispel(is_done=False)
                self._queue.defer(number, claim, trouble.result, is_slow=True)
            case DoubtfulItem():
                if again := self._pace.smaller(session, claim, trouble.result):
                    self._claimed.appendleft(again)
                else:
                    self._doubt(claim, trouble.result)
            case _:
                self._lost(session, trouble)

    def _finish(self) -> None:
        """See to what is in hand before the worker ends, as far as that goes."""
        with suppress(EtlError):
            while (session := self._session) is not None and session.executor.in_hand:
                self._settle(session)
            while self._claimed:
                self._queue.release(self._orders.number, self._claimed.popleft())

    def _doubt(self, claim: Claim, result: Result) -> None:
        """See to an item that failed as every other one would.

        Where the cycle ends before it comes again, it pays an attempt as well: two items that
        stand side by side would else stop every cycle at the same place.

        Raises:
            EnvironmentFaultError: Every other one would.
        """
        number, key = self._orders.number, claim.item_key
        if self._doubts.have_spread:
            self._queue.release(number, claim)
            return
        if self._doubts.is_own(key):
            self._claimed.extend(self._queue.acknowledge(number, claim, result))
            return
        self._queue.defer(number, claim, result, is_slow=claim.is_slow)
        if self._doubts.is_everybodys(key):
            raise EnvironmentFaultError(
                f"{result.message} [{result.sqlstate}]", "No item can succeed until this is mended."
            )

    def _lost(self, session: Session, blamed: UnsettledItem | None) -> None:
        """Connect again after the connection was lost.

        Where only this session was ended, the item in hand may have been the cause, and the
        attempt counts. Where the server went down it is given back, unless it was so before.

        Args:
            session: The one that was lost.
            blamed: The item in hand, with its outcome, should it be the cause; None: none was.
        """
        number = self._orders.number
        was_orderly = blamed is not None and blamed.was_orderly
        waiting = list(session.executor.in_hand)[1:]
        while self._queue.ends_with_connection and self._claimed:
            waiting.append(self._claimed.popleft())
        try:
            successor = self._reconnect(has_item=True)
            if successor is not None:
                successor.end_predecessors()
        except EtlError:
            self._take_back(is_needed=not was_orderly)
            if blamed is not None:
                self._queue.release(number, blamed.claim)
            raise
        finally:
            session.close()
            for waits in waiting:
                self._queue.release(number, waits)
        is_doubtful = successor is None or session.lost_commits_before(successor)
        self._take_back(is_needed=is_doubtful and not was_orderly)
        if blamed is not None:
            self._blame(session, successor, blamed)

    def _blame(self, session: Session, successor: Session | None, blamed: UnsettledItem) -> None:
        number, claim, result = self._orders.number, blamed.claim, blamed.result
        if successor is None or not blamed.was_begun:
            self._queue.release(number, claim)
            return
        is_bystander, went_down = session.heard_of_crash, session.went_down_before(successor)
        if went_down and self._doubts.clears(claim.item_key, is_bystander=is_bystander):
            self._queue.defer(number, claim, result, is_slow=claim.is_slow)
        else:
            self._claimed.extend(self._queue.acknowledge(number, claim, result))

    def _take_back(self, *, is_needed: bool) -> None:
        """Take back what may not be on the server's disk; where nobody knows, too."""
        undone = self._unflushed.pop_all()
        if undone and is_needed:
            self._queue.take_back(self._orders.number, undone)

    def _reconnect(self, *, has_item: bool) -> Session | None:
        """Wait for the server; see ``connect``."""
        self._session = None
        self._session = connect(self._queue, self._orders, self._job, self._gate, has_item=has_item)
        return self._session
