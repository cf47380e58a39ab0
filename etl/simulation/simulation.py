"""One cycle after the other: what arrives, what a cycle takes, what is left."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from etl.ledger.cost import CostModel, Forecast
from etl.model import Prediction
from etl.simulation.cohorts import Ages, Choice, Cohorts, ages
from etl.simulation.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Cycle:
    """What one cycle came to.

    Attributes:
        number: The first is 1.
        arrived: Became dirty since the one before.
        found: Dirty when it began.
        done: Refreshed.
        backlog: Dirty when it had ended.
        limit: Its item limit.
        is_cut_by_time: Its time limit left no room for more.
        predicted: How long it takes; None where nobody knows what an item takes.
    """

    number: int
    arrived: int
    found: int
    done: int
    backlog: int
    limit: int
    is_cut_by_time: bool
    predicted: Prediction | None


@dataclass(frozen=True, slots=True)
class LevelState:
    """One level when a cycle has ended.

    Attributes:
        level: Its number.
        name: Its name.
        arrived: Became dirty so far, without those of the beginning.
        done: Refreshed so far.
        backlog: Dirty.
        left: For how long the dirty ones have been so, in periods.
        waited: For how long those that were refreshed so far had been.
    """

    level: int
    name: str
    arrived: int
    done: int
    backlog: int
    left: Ages
    waited: Ages


class Simulation:
    """The cycles of a scenario.

    Args:
        scenario: What is simulated.

    Raises:
        UsageError: It cannot be.
    """

    def __init__(self, scenario: Scenario) -> None:
        scenario.check()
        self._scenario = scenario
        self._number = 0
        self._cohorts = Cohorts(level.level for level in scenario.levels)
        self._arrived: Counter[int] = Counter()
        self._waited: dict[int, Counter[int]] = {n.level: Counter() for n in scenario.levels}
        self._costs = {level.level: level.cost for level in scenario.levels}
        self._model = CostModel(
            {}, fixed_s=scenario.fixed_s, stretch=scenario.stretch, spread=scenario.spread
        )
        for level in scenario.levels:
            for age, items in sorted(level.backlog, reverse=True):
                self._cohorts.add(level.level, -age, items)

    @property
    def dirty(self) -> int:
        """The backlog."""
        return self._cohorts.items

    def step(self, arrived: Mapping[int, int]) -> Cycle:
        """Let items arrive, and a cycle follow.

        Args:
            arrived: How many, by level.
        """
        self._number += 1
        for level, items in arrived.items():
            self._cohorts.add(level, self._number, items)
            self._arrived[level] += items
        found = self._cohorts.items
        limit, _ = self._scenario.limit.at(found)
        chosen, is_cut = self._within_time(min(limit, found))
        done = sum(choice.items for choice in chosen.values())
        predicted = self._predict(chosen) if done else None
        for level, periods in self._cohorts.take(chosen).items():
            for period, items in periods.items():
                self._waited[level][self._number - period] += items
        return Cycle(
            number=self._number,
            arrived=sum(arrived.values()),
            found=found,
            done=done,
            backlog=self._cohorts.items,
            limit=limit,
            is_cut_by_time=is_cut,
            predicted=predicted,
        )

    def levels(self) -> list[LevelState]:
        """Each level now."""
        return [
            LevelState(
                level=level.level,
                name=level.name,
                arrived=self._arrived[level.level],
                done=sum(self._waited[level.level].values()),
                backlog=self._cohorts.of(level.level),
                left=self._cohorts.ages(level.level, self._number),
                waited=ages(sorted(self._waited[level.level].items(), reverse=True)),
            )
            for level in sorted(self._scenario.levels, key=lambda level: level.level)
        ]

    def _within_time(self, most: int) -> tuple[dict[int, Choice], bool]:
        """What fits into the time limit, and whether it cut anything; one item always fits."""
        percent, limit_s = self._scenario.reserved_percent, self._scenario.time_limit_s
        chosen = self._cohorts.choose(most, percent)
        if limit_s is None or most <= 1 or self._fits(chosen, limit_s):
            return chosen, False
        fits, too_many = 1, most
        while too_many - fits > 1:
            middle = (fits + too_many) // 2
            if self._fits(self._cohorts.choose(middle, percent), limit_s):
                fits = middle
            else:
                too_many = middle
        return self._cohorts.choose(fits, percent), True

    def _fits(self, chosen: Mapping[int, Choice], limit_s: float) -> bool:
        predicted = self._predict(chosen)
        return predicted is None or predicted.p95_s <= limit_s

    def _predict(self, chosen: Mapping[int, Choice]) -> Prediction | None:
        forecast = Forecast(self._model, self._scenario.workers)
        for level, choice in chosen.items():
            cost = self._costs[level]
            if cost is None:
                return None
            forecast.take(cost, choice.items)
        return forecast.prediction()
