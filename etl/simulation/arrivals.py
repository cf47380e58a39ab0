"""What becomes dirty from one cycle to the next, as whole numbers."""

import math
import random
from fractions import Fraction

from etl.simulation.scenario import Scenario

_SMALL = 30
"""Above it a Poisson distribution is near enough to a normal one."""


class Arrivals:
    """Draws the arrivals of a scenario, cycle by cycle.

    Args:
        scenario: It says how many, on the average.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._owed = {level.level: Fraction() for level in scenario.levels}
        # Anybody may guess it: that is what a seed is for.
        self._random = None if scenario.seed is None else random.Random(scenario.seed)  # noqa: S311

    def next(self, dirty: int) -> dict[int, int]:
        """How many of each level become dirty.

        The fraction that is left over counts for the next cycle: over many cycles nothing is
        rounded away.

        Args:
            dirty: So many are so already; a change of one of them is no arrival.
        """
        items = self._scenario.items
        clean = Fraction(1) if items is None else Fraction(items - dirty, items)
        room = None if items is None else items - dirty
        arrived: dict[int, int] = {}
        for level in self._scenario.levels:
            changed = level.arrivals
            if self._random is not None:
                changed = Fraction(_poisson(self._random, float(level.arrivals)))
            owed = self._owed[level.level] + changed * clean
            whole = int(owed) if room is None else min(int(owed), room)
            if room is not None:
                room -= whole
            # Never more than a whole one is owed: else what once did not fit would come later.
            self._owed[level.level] = owed % 1
            arrived[level.level] = whole
        return arrived


def _poisson(chance: random.Random, mean: float) -> int:
    if mean > _SMALL:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    drawn, left = 0, chance.random()
    while left > math.exp(-mean):
        drawn += 1
        left *= chance.random()
    return drawn
