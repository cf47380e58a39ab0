"""Keeps the workers of a cycle at work until the queue is empty or somebody says stop.

What the workers did it reads from the claim journal a few times a second, never from the
workers themselves.

One signal drains: the items in hand are finished. A second one cancels them, and who has not
ended some seconds later is killed. A worker that dies costs the item it had in hand an
attempt, and is replaced.
"""

import selectors
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from etl.crew.crew import Crew
from etl.crew.process import Process
from etl.crew.stop_signals import StopSignals
from etl.crew.tuner import Tuner
from etl.errors import (
    DatabaseUnreachableError,
    EtlError,
    UsageError,
    WorkerStartError,
    WorkerStoppedError,
)
from etl.events import (
    CommitsLost,
    Emit,
    ItemAttempted,
    ItemDeferred,
    StopRequested,
    WorkerFinished,
    WorkersChosen,
)
from etl.model import CycleRecord, Orders, Outcome
from etl.queue import CLAIMED, DEFERRED, TAKEN_BACK, Entry, OpenClaims, Watched

_TICK_S = 0.2
_FRUITLESS_DEATHS = 3
_KILL_S = 15.0
"""After a cancel; a worker gives its statement 5 s and its connection another 5."""


@dataclass(frozen=True)
class Hooks:
    """What a supervisor leaves to the cycle.

    Attributes:
        orders: Makes the orders of the worker with this number.
        on_tick: Called a few times a second.
        on_death: Called with the number of a worker that died with items in hand.
        has_crews: Whether workers of other hosts are still at it, now that these are not.
    """

    orders: Callable[[int], Orders]
    on_tick: Callable[[], None]
    on_death: Callable[[int], object]
    has_crews: Callable[[], bool] = lambda: False


class Supervisor:
    """Runs the workers of one cycle; ``claims`` has what the journal has told so far.

    Args:
        queue: The queue, built by the time of ``drain``.
        record: The cycle's record; its outcomes are counted here.
        signals: Entered.
        hooks: What it leaves to the cycle.
        emit: Told of everything that happens.
        first_worker: Number of the first worker.
    """

    def __init__(
        self,
        queue: Watched,
        record: CycleRecord,
        signals: StopSignals,
        hooks: Hooks,
        emit: Emit,
        *,
        first_worker: int = 1,
    ) -> None:
        self.claims = OpenClaims()
        self._queue = queue
        self._record = record
        self._signals = signals
        self._hooks = hooks
        self._emit = emit
        self._selector = selectors.DefaultSelector()
        self._crew = Crew(Process, hooks.orders, self._selector, first_worker)
        self._is_stopping = False
        self._cancelled_at: float | None = None
        self._fruitless_deaths: Counter[int] = Counter()
        self._error: EtlError | None = None

    def prepare(self, workers: int) -> None:
        """Start this many processes now, so that they load while the queue is being built."""
        self._crew.prepare(workers)

    def close(self) -> None:
        """End the processes that were prepared and are not needed."""
        self._crew.dismiss_idle()

    def pause(self, *, is_paused: bool) -> None:
        """Let the workers claim nothing for now, or claim again."""
        self._crew.pause(is_paused=is_paused)

    def stop(self, *, is_cancelling: bool) -> None:
        """Let the workers finish what they have in hand and end, as after a signal.

        Args:
            is_cancelling: Cancel what they have in hand, as after a second one.
        """
        self._is_stopping = True
        self._crew.tell_all("cancel" if is_cancelling else "drain")
        if is_cancelling and self._cancelled_at is None:
            self._cancelled_at = time.monotonic()

    def resize(self, workers: int) -> None:
        """Have another number of workers from now on."""
        if self._is_stopping or self._error is not None or not self._crew.size:
            return
        for number in self._crew.resize(workers):
            self._start(number)
        self._record.workers = workers

    def drain(self, workers: int, most_workers: int | None = None) -> None:
        """Empty the queue.

        Args:
            workers: With how many workers.
            most_workers: Try more, up to so many, as long as they bring something; None: do not.

        Raises:
            EtlError: What made it stop; the items in hand were finished.
        """
        tuner = None if most_workers is None else Tuner(workers, most_workers)
        self._selector.register(self._signals, selectors.EVENT_READ)
        for number in self._crew.resize(workers):
            self._start(number)
        self.close()
        while self._crew.at_work or self._hooks.has_crews():
            for key, _ in self._selector.select(_TICK_S):
                if isinstance(key.data, Process):
                    self._hear(key.data)
                else:
                    self._signals.clear()
            self._follow()
            self._heed_signals()
            self._tick()
            if tuner is not None:
                self._tune(tuner)
        self._settle()
        self._selector.close()
        if self._error is not None:
            raise self._error

    def _tune(self, tuner: Tuner) -> None:
        """Have as many workers as the tuner says, unless somebody else has said how many."""
        if self._is_stopping or self._error is not None or self._crew.is_paused:
            tuner.look_away()
            return
        if self._crew.size != tuner.workers or not tuner.observe(
            time.monotonic(), self._record.claimed
        ):
            return
        self.resize(tuner.workers)
        if tuner.is_settled:
            self._emit(WorkersChosen(tuner.workers, tuner.tried))

    def _settle(self) -> None:
        """Record the outcomes of the claims that nobody works on any more."""
        self._follow()
        try:
            for worker, claim, result in self.claims.settle("its worker is gone"):
                self._queue.acknowledge(worker, claim, result)
        except EtlError as error:
            self._error = self._error or error
        self._follow()

    def _tick(self) -> None:
        if self._cancelled_at is not None and time.monotonic() - self._cancelled_at > _KILL_S:
            self._crew.kill_all()
        if self._error is not None:
            return
        try:
            self._hooks.on_tick()
        except EtlError as error:
            self._stop(error)

    def _stop(self, error: EtlError) -> None:
        """Finish the items in hand, then end with this error."""
        self._error = self._error or error
        self._crew.tell_all("drain")

    def _start(self, number: int) -> None:
        if self._error is not None:
            return
        try:
            self._crew.start(number)
        except OSError as error:
            if not self._crew.at_work:  # else go on with those that could be started
                self._stop(WorkerStoppedError(f"cannot start worker {number}: {error.strerror}"))

    def _hear(self, process: Process) -> None:
        if process.hear():
            return
        status, is_awaited = self._crew.take_leave(process)
        self._follow()
        self._bury(process, status)
        replaced = status != 0 and self._replace(process, status)
        if is_awaited and not replaced and not self._is_stopping:
            self._start(process.number)
        self._emit(WorkerFinished(process.number, status, replaced))

    def _bury(self, process: Process, status: int) -> None:
        """See to what a worker had in hand when it ended: it worked on the first only."""
        in_hand = self.claims.held_by(process.number)
        if not in_hand:
            return
        result = process.orphaned(status)
        try:
            # Its session first: until that has ended, the server may still commit the item.
            self._hooks.on_death(process.number)
            self._queue.acknowledge(process.number, in_hand[0], result)
            for claim in in_hand[1:]:
                self._queue.release(process.number, claim)
        except EtlError as error:
            self._stop(error)

    def _replace(self, process: Process, status: int) -> bool:
        """Put another process in the place of a dead one, unless that makes no sense."""
        found_hopeless = status == UsageError.exit_code
        found_no_server = status == DatabaseUnreachableError.exit_code
        if found_no_server and (self._crew.at_work or not self._queue.depth()):
            return False  # too many connections, say: those that have one do the work
        if not process.has_claimed:
            self._fruitless_deaths[process.number] += 1
        is_fruitless = self._fruitless_deaths[process.number] >= _FRUITLESS_DEATHS
        if found_hopeless or found_no_server or is_fruitless:
            what = process.last_words() or f"exit status {status}"
            kind = WorkerStoppedError if found_hopeless else WorkerStartError
            hint = "The items it did not get to stay dirty for the next cycle."
            self._stop(kind(f"worker {process.number} gave up: {what}", hint))
        if self._is_stopping or self._error is not None or not self._crew.wants(process.number):
            return False
        self._start(process.number)
        return True

    def _follow(self) -> None:
        """Count what the journal tells since the last time."""
        while entries := self._queue.entries():
            for entry in entries:
                self.claims.follow(entry)
                self._count(entry)
            taken_back = sum(entry.event == TAKEN_BACK for entry in entries)
            if taken_back:
                self._emit(CommitsLost(taken_back))

    def _count(self, entry: Entry) -> None:
        if entry.event == CLAIMED:
            if entry.worker in self._crew.at_work:
                self._crew.at_work[entry.worker].has_claimed = True
            self._fruitless_deaths[entry.worker] = 0
        elif entry.event == DEFERRED and entry.result is not None:
            self._emit(ItemDeferred(entry.worker, entry.claim, entry.result))
        elif entry.event == TAKEN_BACK:
            self._record.count(entry.claim, Outcome.DONE, is_taken_back=True)
        elif entry.is_outcome and entry.result is not None:
            self._record.count(entry.claim, entry.result.outcome)
            self._emit(ItemAttempted(entry.worker, entry.claim, entry.result))

    def _heed_signals(self) -> None:
        for number, is_cancelling in self._signals.fresh():
            self._record.stop_signal = self._record.stop_signal or number
            self.stop(is_cancelling=is_cancelling)
            self._emit(StopRequested(number, is_cancelling))
