"""What a cycle will take, learned from the cycles before: by the weight of the items.

The mean and the variance of an item's duration come from the ledger, for each power of two of
its weight. How whole cycles compared with these means tells the rest: what a cycle costs beside
its items, how much of it the workers share, and how far such a prediction is off.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean, pstdev

from etl import db
from etl.model import Prediction
from etl.sqlfile import shipped

NO_WEIGHT = -1
"""The octave of an item whose job says no weight."""

_LAST_OCTAVE = 63  # all heavier items, here and in cost_of_items.sql
_ONE_IN_TWENTY = 1.645  # standard deviations of a normal distribution
_LEAST_SPREAD = 0.03
_UNTRIED_SPREAD = 0.25  # of one or two cycles nobody knows how much they differ
_TRIED = 3


@dataclass(frozen=True, slots=True)
class ItemCost:
    """What an item of one kind takes: of one octave of the weight, or of one level.

    Attributes:
        items: How many were seen.
        mean_ms: Their mean duration, milliseconds.
        variance: Of the duration, square milliseconds.
    """

    items: int
    mean_ms: float
    variance: float


@dataclass(frozen=True, slots=True)
class CycleCost:
    """What one cycle took.

    Attributes:
        workers: It had so many.
        wall_s: From its beginning to its end, without the time it waited, seconds.
        expected_s: What its items take on the average, one after the other, seconds.
    """

    workers: int
    wall_s: float
    expected_s: float


@dataclass(frozen=True)
class CostModel:
    """What items and cycles of one job take.

    Attributes:
        octaves: By octave of the weight; at least one.
        levels: By level.
        fixed_s: What a cycle takes beside its items, seconds.
        stretch: What the workers take, where their items alone would take 1.
        spread: Standard deviation of actual to predicted duration.
        cycles: How many cycles it was learned from.
    """

    octaves: dict[int, ItemCost]
    fixed_s: float = 0.0
    stretch: float = 1.0
    spread: float = _UNTRIED_SPREAD
    cycles: int = 0
    levels: dict[int, ItemCost] = field(default_factory=dict[int, ItemCost])

    def of_level(self, level: int) -> ItemCost:
        """What an item of this level takes; of one that was never seen, what any item does."""
        return self.levels.get(level) or _mixed(list(self.octaves.values()))

    def of_item(self, octave: int) -> ItemCost:
        """What an item of this octave takes; of one that was never seen, by the nearest."""
        seen = self.octaves.get(octave)
        if seen is not None:
            return seen
        nearest = min(self.octaves, key=lambda known: (abs(known - octave), known))
        near, by = self.octaves[nearest], max(0, octave - nearest)
        if NO_WEIGHT in (octave, nearest):
            by = 0
        return ItemCost(near.items, near.mean_ms * 2**by, near.variance * 4**by)


class Forecast:
    """What a growing list of items will take.

    Args:
        model: What is known.
        workers: How many work on them.
    """

    def __init__(self, model: CostModel, workers: int) -> None:
        self._model = model
        self._workers = workers
        self._busy_s = 0.0
        self._variance = 0.0

    def add(self, weight: float | None, items: int = 1) -> None:
        """Take in one more item, or some of one weight."""
        self.take(self._model.of_item(octave(weight)), items)

    def take(self, item: ItemCost, items: int) -> None:
        """Take in some items of which this is known."""
        self._busy_s += items * item.mean_ms / 1000
        self._variance += items * item.variance / 1e6

    def prediction(self) -> Prediction:
        """How long a cycle of them takes."""
        model = self._model
        share = model.stretch / self._workers
        mean = model.fixed_s + share * self._busy_s
        deviation = math.hypot(share * math.sqrt(self._variance), model.spread * mean)
        return Prediction(mean, mean + _ONE_IN_TWENTY * deviation)


class Budget:
    """Admits items to a cycle while they can be expected to be done within its time limit.

    Args:
        model: What is known; None: nothing, then all are admitted.
        workers: How many the cycle has.
        limit_s: Its time limit, seconds; None: it has none.

    Attributes:
        is_exceeded: Whether an item was turned away.
    """

    def __init__(self, model: CostModel | None, workers: int, limit_s: float | None) -> None:
        self.is_exceeded = False
        self._model = model
        self._workers = workers
        self._limit_s = limit_s
        self._forecast = None if model is None or limit_s is None else Forecast(model, workers)
        self._weights: Counter[str | None] = Counter()

    def admits(self, weight: str | None) -> bool:
        """Whether there is time for one more item; there always is for the first.

        Args:
            weight: As the job's prioritization has it; None where it has none.

        Raises:
            ValueError: It is no number from 0 on.
        """
        if weight not in self._weights and weight is not None and not 0 <= float(weight) < math.inf:
            raise ValueError(weight)
        if self._forecast is not None and self._limit_s is not None:
            self._forecast.add(_number(weight))
            late = self._forecast.prediction().p95_s > self._limit_s
            if late and self._weights:
                self.is_exceeded = True
                return False
        self._weights[weight] += 1
        return True

    def prediction(self) -> Prediction | None:
        """How long all admitted ones take; None where nothing is known, or none was admitted."""
        if self._model is None or not self._weights:
            return None
        forecast = Forecast(self._model, self._workers)
        for weight, items in self._weights.items():
            forecast.add(_number(weight), items)
        return forecast.prediction()


def _number(weight: str | None) -> float | None:
    return None if weight is None else float(weight)


def octave(weight: float | None) -> int:
    """The power of two in which a weight lies, as cost_of_items.sql counts."""
    return NO_WEIGHT if weight is None else min(_LAST_OCTAVE, max(0, math.frexp(weight)[1]))


def learn(connection: db.Connection, job: str) -> CostModel | None:
    """What the ledger tells about a job's latest cycles; None where it tells nothing yet."""
    rows = db.run(connection, shipped("cost/cost_of_items"), job=job).fetchall()
    if not rows:
        return None
    by_octave: dict[int, list[ItemCost]] = {}
    by_level: dict[int, list[ItemCost]] = {}
    for level, number, *seen, _ in rows:
        by_octave.setdefault(number, []).append(ItemCost(*seen))
        by_level.setdefault(level, []).append(ItemCost(*seen))
    octaves = {number: _mixed(parts) for number, parts in by_octave.items()}
    levels = {level: _mixed(parts) for level, parts in by_level.items()}
    cycles = db.run(
        connection,
        shipped("cost/cost_of_cycles"),
        cycle_ids=rows[0][-1],
        octaves=list(octaves),
        means_ms=[seen.mean_ms for seen in octaves.values()],
    )
    return replace(fit(octaves, [CycleCost(*row) for row in cycles]), levels=levels)


def _mixed(parts: Sequence[ItemCost]) -> ItemCost:
    """What an item takes that is of one of several kinds, as often as each was seen."""
    items = sum(part.items for part in parts)
    mean = sum(part.items * part.mean_ms for part in parts) / items
    square = sum(part.items * (part.variance + part.mean_ms**2) for part in parts) / items
    return ItemCost(items, mean, max(0.0, square - mean**2))


def fit(octaves: dict[int, ItemCost], cycles: Sequence[CycleCost]) -> CostModel:
    """Fit what cycles took to what their items take.

    By least squares of the relative error: else the longest cycle alone would decide.

    Args:
        octaves: What items take.
        cycles: None where no record says what a whole cycle takes; then its items are all.
    """
    if not cycles:
        return CostModel(octaves)
    shares = [cycle.expected_s / cycle.workers for cycle in cycles]
    fixed, stretch = _line(shares, [cycle.wall_s for cycle in cycles])
    ratios = [
        cycle.wall_s / max(1e-9, fixed + stretch * share)
        for share, cycle in zip(shares, cycles, strict=True)
    ]
    is_tried = len(cycles) >= _TRIED
    spread = max(_LEAST_SPREAD, pstdev(ratios, 1.0)) if is_tried else _UNTRIED_SPREAD
    return CostModel(octaves, fixed, stretch, spread, len(cycles))


def _line(shares: Sequence[float], walls: Sequence[float]) -> tuple[float, float]:
    """Fixed cost and stretch: neither below what is possible."""
    weights = [1 / max(wall, 1e-3) ** 2 for wall in walls]
    middle, mean = fmean(shares, weights), fmean(walls, weights)
    square = fmean([(share - middle) ** 2 for share in shares], weights)
    stretch = 1.0
    # Cycles of nearly one size do not tell the two apart.
    if len(shares) >= _TRIED and square > (0.1 * middle) ** 2:
        products = [(x - middle) * (y - mean) for x, y in zip(shares, walls, strict=True)]
        stretch = max(1.0, fmean(products, weights) / square)
    return max(0.0, mean - stretch * middle), stretch
