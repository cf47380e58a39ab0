"""A backlog as cohorts: how many items of a level have been dirty since which period."""

import bisect
import itertools
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

Cohort = tuple[int, int]
"""The number of a period, and how many items have been dirty since."""


class Choice(NamedTuple):
    """What a cycle takes of one level.

    Attributes:
        newest: So many by the order of the job: the newest.
        oldest: So many because they have been dirty longest.
    """

    newest: int
    oldest: int

    @property
    def items(self) -> int:
        """Both together; no item is in both."""
        return self.newest + self.oldest


@dataclass(frozen=True, slots=True)
class Ages:
    """How long items have been dirty, in periods; None where there are none.

    Attributes:
        oldest: The longest dirty one.
        p95: Five of a hundred have been dirty for so long or longer.
        p50: Half of them.
    """

    oldest: int | None
    p95: int | None
    p50: int | None


class Cohorts:
    """The dirty items.

    Args:
        levels: Their numbers; the lowest is done first.
    """

    def __init__(self, levels: Iterable[int]) -> None:
        self._levels = sorted(levels)
        self._cohorts: dict[int, deque[Cohort]] = {level: deque() for level in self._levels}
        self._items = dict.fromkeys(self._levels, 0)

    @property
    def items(self) -> int:
        """How many there are."""
        return sum(self._items.values())

    def of(self, level: int) -> int:
        """How many of one level."""
        return self._items[level]

    def add(self, level: int, period: int, items: int) -> None:
        """Items of a level became dirty.

        Args:
            level: Which.
            period: When; none of this level became so later.
            items: How many.
        """
        if items:
            self._cohorts[level].append((period, items))
            self._items[level] += items

    def choose(self, most: int, reserved_percent: int) -> dict[int, Choice]:
        """What a cycle would take, of each level.

        As a prioritization does that puts an item at the better of its places in two orders: at
        s percent the k-th longest dirty comes right behind k (100 - s) / s of the job's order.
        Then a list of n has n s / 100 of the longest dirty, rounded down or up.

        Args:
            most: So many at most.
            reserved_percent: Share of the places for those that have been dirty longest.
        """
        wanted = min(most, self.items)
        least, rest = divmod(wanted * reserved_percent, 100)
        if rest:
            more = self._choose(wanted, least + 1)
            following = self._reached(more) + 1
            if (100 - reserved_percent) * (least + 1) < reserved_percent * following:
                return more
        return self._choose(wanted, least)

    def _choose(self, wanted: int, reserved: int) -> dict[int, Choice]:
        oldest = self._longest(reserved)
        rest = wanted - reserved
        chosen: dict[int, Choice] = {}
        for level in self._levels:
            newest = min(rest, self._items[level] - oldest[level])
            chosen[level] = Choice(newest, oldest[level])
            rest -= newest
        return chosen

    def _reached(self, chosen: Mapping[int, Choice]) -> int:
        """How far the job's order is used up, with those that are there for their age as well."""
        reached = 0
        for level in self._levels:
            if chosen[level].items < self._items[level]:
                return reached + chosen[level].newest
            reached += self._items[level]
        return reached

    def _longest(self, wanted: int) -> dict[int, int]:
        """How many of each level are among the longest dirty; of one period in proportion."""
        taken = dict.fromkeys(self._levels, 0)
        if not wanted:
            return taken
        queues: dict[int, Iterator[Cohort]] = {n: iter(self._cohorts[n]) for n in self._levels}
        heads = {level: next(queue, None) for level, queue in queues.items()}
        while wanted:
            period = min(head[0] for head in heads.values() if head is not None)
            same = {n: head[1] for n, head in heads.items() if head and head[0] == period}
            total = sum(same.values())
            part = min(wanted, total)
            seen = 0
            for level, items in same.items():
                taken[level] += part * (seen + items) // total - part * seen // total
                seen += items
                heads[level] = next(queues[level], None)
            wanted -= part
        return taken

    def take(self, chosen: Mapping[int, Choice]) -> dict[int, Counter[int]]:
        """Remove what a cycle took. Returns how many of each period, by level."""
        taken: dict[int, Counter[int]] = {}
        for level, choice in chosen.items():
            queue = self._cohorts[level]
            periods: Counter[int] = Counter()
            for is_oldest, wanted in ((True, choice.oldest), (False, choice.newest)):
                rest = wanted
                while rest:
                    period, items = queue.popleft() if is_oldest else queue.pop()
                    part = min(rest, items)
                    periods[period] += part
                    rest -= part
                    if part < items:
                        left = (period, items - part)
                        (queue.appendleft if is_oldest else queue.append)(left)
            self._items[level] -= choice.items
            taken[level] = periods
        return taken

    def ages(self, level: int, now: int) -> Ages:
        """How long the items of a level have been dirty.

        Args:
            level: Which.
            now: The number of this period.
        """
        return ages((now - period, items) for period, items in self._cohorts[level])


def ages(oldest_first: Iterable[tuple[int, int]]) -> Ages:
    """Quantiles of ages as percentile_disc has them.

    Args:
        oldest_first: An age and how many have it, in descending order.
    """
    counted = list(oldest_first)
    total = sum(items for _, items in counted)
    if not total:
        return Ages(None, None, None)

    ranks = list(itertools.accumulate(items for _, items in counted))

    def of_rank(rank: int) -> int:
        return counted[bisect.bisect_left(ranks, rank)][0]

    return Ages(counted[0][0], of_rank(-(-total // 20)), of_rank(-(-total // 2)))
