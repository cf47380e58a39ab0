"""What a queue is to those who fill it, who claim from it, and who watch over it."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Protocol

from etl.model import Claim, Result
from etl.queue.journal import Entry


class Buildable(Protocol):
    """What can be filled with a frozen list."""

    def build(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
        """Write these rows, in this order, in bounded memory; once. Returns how many there are."""
        ...


class Claims(Protocol):
    """What a worker needs of a queue.

    Attributes:
        has_few_left: Whether hardly anything was left to claim when this user last did.
        others_have_some: Whether, when nothing was left to claim, what others have in hand may
            come free without anybody's say.
        ends_with_connection: Whether a claim does so.
    """

    has_few_left: bool
    others_have_some: bool
    ends_with_connection: bool

    def exchange(
        self, worker: int, settled: Sequence[tuple[Claim, Result]], most: int = 1
    ) -> list[Claim]:
        """``acknowledge`` these and then ``claim`` up to so many, for less than it all costs.

        Where one is a part of an item, its rest is claimed by the same worker again, and comes
        first among those returned.
        """
        ...

    def claim(self, worker: int) -> Claim | None:
        """Take the first item that nobody has; None when there is none."""
        return next(iter(self.exchange(worker, ())), None)

    def acknowledge(self, worker: int, claim: Claim, result: Result) -> list[Claim]:
        """Record what became of a claim, after its COMMIT or ROLLBACK. Returns its rest, if any."""
        return self.exchange(worker, [(claim, result)], most=0)

    def release(self, worker: int, claim: Claim) -> None:
        """Give a claim back without an attempt; the item goes to the end of the queue."""
        ...

    def defer(self, worker: int, claim: Claim, result: Result, *, is_slow: bool) -> None:
        """Give back a claim that has failed for now; this is its result unless it comes again."""
        ...

    def take_back(self, worker: int, positions: Collection[int]) -> None:
        """Undo outcomes that a crash of the server undid; the items go to the end."""
        ...

    def depth(self) -> int:
        """How many items nobody has claimed."""
        ...


class Watched(Buildable, Protocol):
    """What a cycle and its supervisor need of a queue."""

    def acknowledge(self, worker: int, claim: Claim, result: Result) -> object:
        """Record what became of a dead worker's claim, as ``entries`` tells it."""
        ...

    def release(self, worker: int, claim: Claim) -> None:
        """Give a dead worker's claim back, as ``entries`` tells it."""
        ...

    def depth(self) -> int:
        """How many items nobody has claimed."""
        ...

    def entries(self) -> list[Entry]:
        """What has happened since the last call, in order."""
        ...

    def history(self) -> Iterator[Entry]:
        """Everything that has happened since the queue was built, in order."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class Queue(Claims, Watched, Protocol):
    """A queue that is the same for both."""
