"""Keeps the workers of a cycle at work until the queue is empty or somebody says stop.

Each worker is a process of its own, in a process group of its own: a Ctrl-C at the terminal
reaches the supervisor alone, which then tells the workers. Its standard error is a pipe; the
end of that pipe is how the supervisor learns that the process is gone. What the workers did
it reads from the claim journal a few times a second, never from the workers themselves.

One signal drains: the items in hand are finished. A second one cancels them. A worker that
dies costs the item it had in hand an attempt, and is replaced.
"""

import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import IO, cast

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
)
from etl.model import CycleRecord, Orders, Outcome, Result
from etl.queue import Entry, OpenClaims, Queue
from etl.queue.journal import CLAIMED, DEFERRED, TAKEN_BACK

Handler = Callable[[int, FrameType | None], object] | int | None

_TICK_S = 0.2
_FRUITLESS_DEATHS = 3
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class StopSignals:
    """Collects the signals that ask to stop, while it is entered.

    A handler only wakes whoever waits on the pipe. SIGHUP is left alone where it is ignored:
    that is what nohup asks for.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        self._previous: dict[int, Handler] = {}
        self.received: list[int] = []

    def __enter__(self) -> "StopSignals":
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self.received.append(number)
        with suppress(BlockingIOError):
            os.write(self._write, b"!")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        os.close(self._read)
        os.close(self._write)

    def fileno(self) -> int:
        """Readable when a signal has come."""
        return self._read

    def clear(self) -> None:
        """Wait for the next one again."""
        with suppress(BlockingIOError):
            os.read(self._read, 100)


class _Process:
    """A worker process, seen from outside."""

    def __init__(self, orders: Orders) -> None:
        self.number = orders.number
        # It inherits SIGTERM blocked, and lets it through once it can heed it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        try:
            # -P: the current folder is no place to import from; cron may run anywhere.
            popen = subprocess.Popen(
                [sys.executable, "-P", "-m", "etl.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                process_group=0,
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self._popen = popen
        self._stdin = cast(IO[bytes], popen.stdin)
        self.stderr = cast(IO[bytes], popen.stderr)
        self.said = b""
        self.has_claimed = False
        self.tell(orders.to_json())

    def tell(self, line: str) -> None:
        """Send a line; it may be too late."""
        with suppress(BrokenPipeError):
            self._stdin.write(f"{line}\n".encode())
            self._stdin.flush()

    def hear(self) -> bool:
        """Read what it says. Returns False when it has ended."""
        chunk = os.read(self.stderr.fileno(), 4096)
        self.said = (self.said + chunk)[-4096:]
        return bool(chunk)

    def reap(self) -> int:
        """The exit status of the ended process; negative: the signal that killed it."""
        status = self._popen.wait()
        self.stderr.close()
        with suppress(BrokenPipeError):
            self._stdin.close()
        return status


class Supervisor:
    """Runs the workers of one cycle; ``claims`` has what the journal has told so far.

    Args:
        queue: The queue, built.
        record: The cycle's record; its outcomes are counted here.
        orders: Makes the orders of the worker with this number.
        signals: Entered.
        emit: Told of everything that happens.
        on_tick: Called a few times a second.
    """

    def __init__(
        self,
        queue: Queue,
        record: CycleRecord,
        orders: Callable[[int], Orders],
        signals: StopSignals,
        *,
        emit: Emit,
        on_tick: Callable[[], None],
    ) -> None:
        self._queue = queue
        self._record = record
        self._orders = orders
        self._signals = signals
        self._emit = emit
        self._on_tick = on_tick
        self._selector = selectors.DefaultSelector()
        self._processes: dict[int, _Process] = {}
        self.claims = OpenClaims()
        self._stop_requests = 0
        self._fruitless_deaths = 0
        self._error: EtlError | None = None

    def drain(self, workers: int) -> None:
        """Empty the queue with this many workers.

        Raises:
            EtlError: What made it stop; the items in hand were finished.
        """
        self._selector.register(self._signals, selectors.EVENT_READ)
        for number in range(1, workers + 1):
            self._start(number)
        while self._processes:
            for key, _ in self._selector.select(_TICK_S):
                if isinstance(key.data, _Process):
                    self._hear(key.data)
                else:
                    self._signals.clear()
            self._follow()
            self._heed_signals()
            self._tick()
        self._settle()
        self._selector.close()
        if self._error is not None:
            raise self._error

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
        if self._error is not None:
            return
        try:
            self._on_tick()
        except EtlError as error:
            self._stop(error)

    def _stop(self, error: EtlError) -> None:
        """Finish the items in hand, then end with this error."""
        self._error = self._error or error
        self._tell_all("drain")

    def _start(self, number: int) -> None:
        try:
            process = _Process(self._orders(number))
        except OSError as error:
            self._stop(WorkerStartError(f"cannot start worker {number}: {error.strerror}"))
            return
        self._processes[number] = process
        self._selector.register(process.stderr, selectors.EVENT_READ, process)

    def _hear(self, process: _Process) -> None:
        if process.hear():
            return
        self._selector.unregister(process.stderr)
        status = process.reap()
        del self._processes[process.number]
        self._follow()
        claim = self.claims.in_hand.get(process.number)
        if claim is not None:
            reason = f"its worker died of signal {-status}" if status < 0 else "its worker died"
            result = Result(Outcome.ORPHANED, message=reason)
            try:
                self._queue.acknowledge(process.number, claim, result)
            except EtlError as error:
                self._stop(error)
        replaced = status != 0 and self._replace(process, status)
        self._emit(WorkerFinished(process.number, status, replaced))

    def _replace(self, process: _Process, status: int) -> bool:
        """Put another process in the place of a dead one, unless that makes no sense."""
        if not process.has_claimed:
            self._fruitless_deaths += 1
        found_hopeless = status == UsageError.exit_code
        found_no_server = status == DatabaseUnreachableError.exit_code
        if found_no_server and self._processes:
            return False  # too many connections, say: go on with those that have one
        if found_hopeless or found_no_server or self._fruitless_deaths >= _FRUITLESS_DEATHS:
            said = process.said.decode(errors="replace").strip()
            what = said.splitlines()[-1] if said else f"exit status {status}"
            kind = WorkerStoppedError if found_hopeless else WorkerStartError
            hint = "The items it did not get to stay dirty for the next cycle."
            self._stop(kind(f"worker {process.number} gave up: {what}", hint))
        if self._stop_requests or self._error is not None:
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
        level = entry.claim.level
        if entry.event == CLAIMED:
            if entry.worker in self._processes:
                self._processes[entry.worker].has_claimed = True
            self._fruitless_deaths = 0
        elif entry.event == DEFERRED:
            self._emit(ItemDeferred(entry.worker, entry.claim))
        elif entry.event == TAKEN_BACK:
            self._record.count(level, Outcome.DONE, by=-1)
        elif entry.result is not None:
            self._record.count(level, entry.result.outcome)
            self._emit(ItemAttempted(entry.worker, entry.claim, entry.result))

    def _heed_signals(self) -> None:
        received = self._signals.received
        for number in received[self._stop_requests :]:
            self._stop_requests += 1
            self._record.stop_signal = self._record.stop_signal or number
            is_cancelling = self._stop_requests > 1
            self._tell_all("cancel" if is_cancelling else "drain")
            self._emit(StopRequested(number, is_cancelling))

    def _tell_all(self, line: str) -> None:
        for process in self._processes.values():
            process.tell(line)
