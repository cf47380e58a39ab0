"""The worker processes of one cycle: started, told what to do, counted, ended."""

import selectors
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

from etl.crew.process import Process
from etl.model import Orders

P = TypeVar("P", bound=Process)


class Crew(Generic[P]):
    """The workers of one cycle.

    Args:
        make: Starts a process.
        orders: Makes the orders of the worker with this number.
        selector: Watches each worker's standard error; the data is the worker.
        first: Number of the first worker.

    Attributes:
        at_work: The workers, by number.
        size: How many there should be.
        is_paused: Whether they are to claim nothing for now.
    """

    def __init__(
        self,
        make: Callable[[], P],
        orders: Callable[[int], Orders],
        selector: selectors.BaseSelector,
        first: int = 1,
    ) -> None:
        self.at_work: dict[int, P] = {}
        self.size = 0
        self.is_paused = False
        self._make, self._orders, self._first = make, orders, first
        self._selector = selector
        self._idle: list[P] = []
        self._awaited: set[int] = set()

    def prepare(self, workers: int) -> None:
        """Start this many processes now, so that they load while the queue is being built."""
        with suppress(OSError):  # start tries again, and says so
            while len(self._idle) < workers:
                self._idle.append(self._make())

    def dismiss_idle(self) -> None:
        """End the processes that were prepared and are not needed."""
        for process in self._idle:
            process.kill()
            process.reap()
        self._idle.clear()

    def start(self, number: int) -> None:
        """Put a worker to work.

        Raises:
            OSError: It cannot be started.
        """
        process = self._idle.pop() if self._idle else self._make()
        process.begin(self._orders(number))
        if self.is_paused:
            process.tell("pause")
        self.at_work[number] = process
        self._selector.register(process.stderr, selectors.EVENT_READ, process)

    def resize(self, workers: int) -> list[int]:
        """Want another number of workers; those that are too many finish what they have in hand.

        Returns:
            The numbers of those to start. One whose number is still at work is no such: it is
            awaited, and told by ``take_leave``.
        """
        before, after = self._first + self.size, self._first + workers
        wanted = range(before, after)
        for number in range(after, before):
            self._awaited.discard(number)
            if number in self.at_work:
                self.at_work[number].tell("drain")
        self.size = workers
        self._awaited.update(number for number in wanted if number in self.at_work)
        return [number for number in wanted if number not in self.at_work]

    def wants(self, number: int) -> bool:
        """Whether there should be a worker of this number."""
        return number < self._first + self.size

    def take_leave(self, process: P) -> tuple[int, bool]:
        """Let a worker go whose standard error has ended.

        Returns:
            Its exit status, negative: the signal that killed it; and whether one of this number
            is wanted anew, because it had been sent away and called back.
        """
        self._selector.unregister(process.stderr)
        status = process.reap()
        del self.at_work[process.number]
        is_awaited = process.number in self._awaited
        self._awaited.discard(process.number)
        return status, is_awaited

    def tell_all(self, line: str) -> None:
        """Send each worker a line."""
        for process in self.at_work.values():
            process.tell(line)

    def pause(self, *, is_paused: bool) -> None:
        """Let them claim nothing for now, or claim again."""
        if is_paused != self.is_paused:
            self.is_paused = is_paused
            self.tell_all("pause" if is_paused else "resume")

    def kill_all(self) -> None:
        """End them, whatever they do."""
        for process in self.at_work.values():
            process.kill()
