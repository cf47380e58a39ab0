"""The workers of a service: who gets the next message, who is replaced when.

A worker whose end says that nothing can succeed (a missing table), or that there is no database,
starts again after a pause that grows; any other is replaced at once, unless it dies again and again
before it claims anything.
"""

import selectors
import time
from collections import Counter
from collections.abc import Callable

from etl.crew.crew import Crew
from etl.errors import DatabaseUnreachableError, UsageError
from etl.model import Orders
from etl.stream.hands import Hand

_FRUITLESS_DEATHS = 3
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0


class Rota:
    """The workers of one service.

    Args:
        workers: How many.
        prefetch: Messages that the broker gives at most.
        orders: Makes the orders of the worker with this number.

    Attributes:
        selector: Readable when a worker says something; the data is a ``Hand``.
    """

    def __init__(self, workers: int, prefetch: int, orders: Callable[[int], Orders]) -> None:
        self.selector = selectors.DefaultSelector()
        self._crew = Crew(self._make, orders, self.selector)
        self._crew.size = workers
        self._each = -(-prefetch // workers)
        self._starts: dict[int, float] = dict.fromkeys(range(1, workers + 1), 0.0)
        self._fruitless: Counter[int] = Counter()
        self._pauses: Counter[int] = Counter()

    def _make(self) -> Hand:
        return Hand(self.selector)

    @property
    def hands(self) -> list[Hand]:
        """The workers there are."""
        return list(self._crew.at_work.values())

    @property
    def is_ready(self) -> bool:
        """Whether somebody can take messages."""
        return any(self._can_take(hand) for hand in self.hands)

    @staticmethod
    def _can_take(hand: Hand) -> bool:
        return hand.is_ready and not hand.is_leaving

    def next(self) -> Hand | None:
        """Who gets the next message: of those that may have one more, who has the fewest."""
        free = [h for h in self.hands if self._can_take(h) and len(h.sent) < self._each]
        return min(free, key=lambda hand: len(hand.sent), default=None)

    def start_due(self) -> None:
        """Start those whose time has come."""
        now = time.monotonic()
        for number in [number for number, at in self._starts.items() if at <= now]:
            del self._starts[number]
            try:
                self._crew.start(number)
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

    def take_leave(self, hand: Hand) -> int:
        """Let a worker go whose standard error has ended. Returns its exit status."""
        return self._crew.take_leave(hand)[0]

    def must_wait(self, hand: Hand, status: int) -> bool:
        """Whether one that ended so should not be replaced at once."""
        if not hand.is_ready:
            self._fruitless[hand.number] += 1
        return (
            status in (UsageError.exit_code, DatabaseUnreachableError.exit_code)
            or self._fruitless[hand.number] >= _FRUITLESS_DEATHS
        )

    def drain(self) -> None:
        """Let them finish what they have in hand and end."""
        self._starts.clear()
        self._crew.tell_all("drain")

    def cancel(self) -> None:
        """Cancel what they have in hand."""
        self._crew.tell_all("cancel")

    def kill(self) -> None:
        """End them, whatever they do."""
        self._crew.kill_all()
