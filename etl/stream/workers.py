"""The workers of a service: who gets the next message, and when one that died is replaced.

A worker whose end says that nothing can succeed (a missing table), or that there is no database,
starts again after a pause that grows; any other is replaced at once, unless it dies again and again
before it claims anything.
"""

import time
from collections import Counter
from collections.abc import Callable
from selectors import DefaultSelector

from etl.crew.crew import Crew
from etl.errors import DatabaseUnreachableError, UsageError
from etl.model import Orders
from etl.stream.worker import StreamWorker

_HOPELESS = (UsageError.exit_code, DatabaseUnreachableError.exit_code)
_FRUITLESS_DEATHS = 3
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0


class Workers(Crew[StreamWorker]):
    """The workers of one service.

    Args:
        workers: How many.
        prefetch: Messages that the broker gives at most.
        orders: Makes the orders of the worker with this number.

    Attributes:
        selector: Readable when a worker says something; the data is a ``StreamWorker``.
    """

    def __init__(self, workers: int, prefetch: int, orders: Callable[[int], Orders]) -> None:
        self.selector = DefaultSelector()
        super().__init__(lambda: StreamWorker(self.selector), orders, self.selector)
        self._each = -(-prefetch // workers)
        self._starts: dict[int, float] = dict.fromkeys(range(1, workers + 1), 0.0)
        self._fruitless: Counter[int] = Counter()
        self._pauses: Counter[int] = Counter()

    @property
    def is_ready(self) -> bool:
        """Whether somebody can take messages."""
        return any(worker.is_taking for worker in self.at_work.values())

    def next(self) -> StreamWorker | None:
        """Who gets the next message: of those that may have one more, who has the fewest."""
        taking = (worker for worker in self.at_work.values() if worker.is_taking)
        free = (worker for worker in taking if len(worker.sent) < self._each)
        return min(free, key=lambda worker: len(worker.sent), default=None)

    def start_due(self) -> None:
        """Start those whose time has come."""
        now = time.monotonic()
        for number in [number for number, at in self._starts.items() if at <= now]:
            del self._starts[number]
            try:
                self.start(number)
            except OSError:  # no more processes or descriptors: later, perhaps
                self.start_later(number)

    def start_later(self, number: int) -> float:
        """Start a worker after a pause; twice as long each time. Returns seconds."""
        pause_s = min(_FIRST_PAUSE_S * 2.0 ** min(self._pauses[number], 10), _LONGEST_PAUSE_S)
        self._pauses[number] += 1
        self._starts[number] = time.monotonic() + pause_s
        return pause_s

    def start_now(self, number: int) -> None:
        """Start a worker at the next opportunity."""
        self._starts[number] = 0.0

    def note_done(self, number: int) -> None:
        """A worker has done something: whatever was, is over."""
        self._fruitless.pop(number, None)
        self._pauses.pop(number, None)

    def must_wait(self, worker: StreamWorker, status: int) -> bool:
        """Whether one that ended so should not be replaced at once."""
        if not worker.is_ready:
            self._fruitless[worker.number] += 1
        return status in _HOPELESS or self._fruitless[worker.number] >= _FRUITLESS_DEATHS

    def drain(self) -> None:
        """Let them finish what they have in hand and end."""
        self._starts.clear()
        self.tell_all("drain")
