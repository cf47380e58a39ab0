"""A whole simulation: some of its cycles to show, and what becomes of the backlog."""

import math
from dataclasses import dataclass

from etl.simulation.arrivals import Arrivals
from etl.simulation.scenario import Scenario
from etl.simulation.simulation import Cycle, LevelState, Simulation


@dataclass(frozen=True, slots=True)
class Shown:
    """A cycle that is shown.

    Attributes:
        cycle: What it came to.
        levels: Each level when it had ended.
    """

    cycle: Cycle
    levels: list[LevelState]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a simulation came to.

    Attributes:
        shown: Some of the cycles, the last one always.
        arrived: Became dirty in all cycles.
        done: Refreshed in all cycles.
        backlog: Dirty in the end.
        largest_backlog: The most that a cycle left.
        gone_in_cycles: The first cycle that left nothing; or, where none did, the one that would
            if it went on like this; None: never.
        is_reached: It was one of the simulated ones.
        capacity: So many a cycle can do in the end.
        longest_s: The longest cycle, on the average; None: nobody knows what an item takes.
    """

    shown: list[Shown]
    arrived: int
    done: int
    backlog: int
    largest_backlog: int
    gone_in_cycles: int | None
    is_reached: bool
    capacity: int
    longest_s: float | None


def run(scenario: Scenario, shown: int) -> Outlook:
    """Simulate all cycles of a scenario.

    Args:
        scenario: What is simulated.
        shown: Show so many cycles at most, evenly spread; at least two.

    Raises:
        UsageError: It cannot be.
    """
    simulation = Simulation(scenario)
    arrivals = Arrivals(scenario)
    numbers = _spread(scenario.cycles, shown)
    kept: list[Shown] = []
    cycles: list[Cycle] = []
    for number in range(1, scenario.cycles + 1):
        cycles.append(simulation.step(arrivals.next(simulation.dirty)))
        if number in numbers:
            kept.append(Shown(cycles[-1], simulation.levels()))
    return _judge(scenario, cycles, kept)


def _spread(cycles: int, shown: int) -> set[int]:
    """The numbers of the cycles to show: the first, the last, and as many between."""
    if cycles <= shown:
        return set(range(1, cycles + 1))
    return {1 + (cycles - 1) * place // (shown - 1) for place in range(shown)}


def _judge(scenario: Scenario, cycles: list[Cycle], kept: list[Shown]) -> Outlook:
    last = cycles[-1]
    capacity = last.done if last.is_cut_by_time else last.limit
    gone = next((cycle.number for cycle in cycles if not cycle.backlog), None)
    is_reached = gone is not None
    # What would come in were all clean: of a finite number fewer do so the more are dirty, but
    # a backlog that is nearly gone has all of them to bear.
    if gone is None and capacity > scenario.arrivals:
        gone = last.number + math.ceil(last.backlog / (capacity - scenario.arrivals))
    times = [cycle.predicted.mean_s for cycle in cycles if cycle.predicted is not None]
    return Outlook(
        shown=kept,
        arrived=sum(cycle.arrived for cycle in cycles),
        done=sum(cycle.done for cycle in cycles),
        backlog=last.backlog,
        largest_backlog=max(cycle.backlog for cycle in cycles),
        gone_in_cycles=gone,
        is_reached=is_reached,
        capacity=capacity,
        longest_s=max(times, default=None),
    )
