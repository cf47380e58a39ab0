"""What holds for every simulation, whatever arrives and whatever a cycle can do."""

import math
from collections import Counter
from fractions import Fraction
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.errors import UsageError
from etl.ledger.cost import ItemCost
from etl.settings import ItemLimit
from etl.simulation import Arrivals, Cohorts, LevelScenario, Scenario, Simulation, run
from etl.simulation.cohorts import ages

LEVELS: tuple[int, ...] = (1, 2, 3)
COUNTS = st.lists(st.integers(0, 60), min_size=3, max_size=3)
NIGHTS = st.lists(COUNTS, min_size=1, max_size=12)


def levels(
    arrivals: Fraction = Fraction(), cost: ItemCost | None = None
) -> tuple[LevelScenario, ...]:
    return tuple(LevelScenario(n, f"level {n}", arrivals, cost=cost) for n in LEVELS)


def scenario(limit: int, reserved: int = 10, time_limit_s: float | None = None) -> Scenario:
    return Scenario(
        levels=levels(cost=ItemCost(1, 100.0, 0.0)),
        limit=ItemLimit(limit),
        reserved_percent=reserved,
        time_limit_s=time_limit_s,
    )


@given(
    nights=NIGHTS,
    limit=st.integers(1, 100),
    reserved=st.integers(0, 99),
    time_limit_s=st.none() | st.floats(0.05, 5),
)
def test_nothing_is_lost_and_the_limits_hold(
    nights: list[list[int]], limit: int, reserved: int, time_limit_s: float | None
) -> None:
    simulation = Simulation(scenario(limit, reserved, time_limit_s))
    done = arrived = 0
    for night in nights:
        cycle = simulation.step(dict(zip(LEVELS, night, strict=True)))
        done += cycle.done
        arrived += sum(night)
        assert cycle.found == cycle.done + cycle.backlog
        assert cycle.done <= limit
        if cycle.done > 1 and time_limit_s is not None:
            assert cycle.predicted is not None
            assert cycle.predicted.p95_s <= time_limit_s
        if time_limit_s is None:
            assert cycle.done == min(limit, cycle.found)
    assert arrived == done + simulation.dirty
    for state in simulation.levels():
        assert state.arrived == state.done + state.backlog


class Item(NamedTuple):
    """One that is kept, not counted."""

    level: int
    period: int
    number: int


class ByHand:
    """The order of the job with single items, as its prioritization has it: two lists of places."""

    def __init__(self) -> None:
        self.dirty: list[Item] = []
        self.number = 0

    def add(self, period: int, counts: list[int]) -> None:
        for level, items in zip(LEVELS, counts, strict=True):
            for _ in range(items):
                self.number += 1
                self.dirty.append(Item(level, period, self.number))

    def take(self, limit: int, reserved: int) -> list[Item]:
        cascade = sorted(self.dirty, key=lambda item: (item.level, -item.number))
        longest = sorted(self.dirty, key=lambda item: item.number)
        most = -(-min(limit, len(self.dirty)) * reserved // 100)
        share = max(reserved, 1)
        places = {item: 2 * share * place for place, item in enumerate(cascade, 1)}
        for place, item in enumerate(longest[:most], 1):
            places[item] = min(places[item], 1 + 2 * (100 - reserved) * place)
        taken = sorted(self.dirty, key=lambda item: places[item])[:limit]
        self.dirty = [item for item in self.dirty if item not in set(taken)]
        return taken


@given(
    nights=st.lists(st.tuples(st.sampled_from(LEVELS), st.integers(0, 40)), max_size=12),
    limit=st.integers(1, 40),
    reserved=st.sampled_from([0, 1, 10, 33, 50, 99]),
)
@settings(max_examples=300, deadline=None)
def test_cohorts_are_taken_as_single_items_would_be(
    nights: list[tuple[int, int]], limit: int, reserved: int
) -> None:
    """One level a night: then the longest dirty are in a total order, and all is exact."""
    cohorts, by_hand = Cohorts(LEVELS), ByHand()
    for period, (level, items) in enumerate(nights):
        cohorts.add(level, period, items)
        by_hand.add(period, [items if n == level else 0 for n in LEVELS])
        chosen = cohorts.choose(limit, reserved)
        taken = cohorts.take(chosen)
        wanted = by_hand.take(limit, reserved)
        for n in LEVELS:
            periods = [item.period for item in wanted if item.level == n]
            assert sorted(taken[n].elements()) == sorted(periods)
            assert cohorts.of(n) == sum(item.level == n for item in by_hand.dirty)


@given(
    before=st.integers(1, 200),
    rank=st.integers(1, 200),
    stream=st.integers(0, 300),
    limit=st.integers(10, 60),
)
def test_the_reserved_share_bounds_the_age(before: int, rank: int, stream: int, limit: int) -> None:
    """The r-th longest dirty is done within 10 r / limit cycles, whatever else comes in."""
    rank = min(rank, before)
    cohorts = Cohorts(LEVELS)
    # Each a period of its own, so that the r-th is known.
    for place in range(before):
        cohorts.add(3, place - before, 1)
    reserved = limit * 10 // 100
    for cycle in range(1, -(-rank // reserved) + 1):
        cohorts.add(1, cycle, stream)
        cohorts.take(cohorts.choose(limit, 10))
    oldest = cohorts.ages(3, 0).oldest
    assert oldest is None or oldest <= before - rank


@given(
    nights=NIGHTS, limit=st.integers(1, 80), more=st.integers(0, 40), reserved=st.integers(0, 99)
)
def test_more_capacity_never_makes_the_backlog_larger(
    nights: list[list[int]], limit: int, more: int, reserved: int
) -> None:
    smaller, larger = (Simulation(scenario(n, reserved)) for n in (limit, limit + more))
    for night in nights:
        arrived = dict(zip(LEVELS, night, strict=True))
        assert larger.step(arrived).backlog <= smaller.step(arrived).backlog


@given(
    arrivals=st.fractions(0, 5, max_denominator=7),
    cycles=st.integers(1, 60),
    items=st.none() | st.integers(20, 100),
)
def test_fractions_of_arrivals_are_not_rounded_away(
    arrivals: Fraction, cycles: int, items: int | None
) -> None:
    made = Scenario(levels=levels(arrivals), limit=ItemLimit(1000), cycles=cycles, items=items)
    outlook = run(made, 2)
    assert abs(outlook.arrived - 3 * arrivals * cycles) < 3
    assert outlook.arrived == outlook.done + outlook.backlog


@given(each=st.lists(st.integers(0, 30), min_size=1, max_size=120))
def test_quantiles_are_those_of_single_ages(each: list[int]) -> None:
    """Five of a hundred have been dirty for p95 or longer, fifty for p50."""
    oldest_first = sorted(each, reverse=True)
    told = ages(sorted(Counter(each).items(), reverse=True))
    places = (1, math.ceil(len(each) * 0.05), math.ceil(len(each) * 0.5))
    assert (told.oldest, told.p95, told.p50) == tuple(oldest_first[n - 1] for n in places)


@given(percent=st.integers(0, 33), cycles=st.integers(1, 40), seed=st.none() | st.integers(0, 9))
def test_never_more_are_dirty_than_exist(percent: int, cycles: int, seed: int | None) -> None:
    made = Scenario(
        levels=levels(Fraction(percent)), limit=ItemLimit(1), cycles=cycles, items=100, seed=seed
    )
    assert run(made, 2).largest_backlog <= 100


def test_a_seed_repeats_itself_and_its_mean_is_the_one_given() -> None:
    made = Scenario(levels=levels(Fraction(400)), limit=ItemLimit(1), seed=4)
    assert Arrivals(made).next(0) == Arrivals(made).next(0)
    arrivals = Arrivals(made)
    drawn = [count for _ in range(200) for count in arrivals.next(0).values()]
    # 600 draws of 400 +- 20: their mean lies within five of its standard deviations.
    assert abs(sum(drawn) / len(drawn) - 400) < 5 * 20 / 600**0.5
    assert len(set(drawn)) > 1


def test_a_thousand_million_items_are_as_few_cohorts_as_a_thousand() -> None:
    sizes = (1_000, 1_000_000_000)
    outlooks = [
        run(
            Scenario(
                levels=levels(Fraction(size, 100)),
                limit=ItemLimit(size * 2 // 100),
                cycles=50,
                items=size,
            ),
            3,
        )
        for size in sizes
    ]
    few, many = ([one.cycle.backlog for one in outlook.shown] for outlook in outlooks)
    assert many[-1] > 100_000_000
    assert all(abs(a / b - sizes[0] / sizes[1]) < 1e-8 for a, b in zip(few, many, strict=True))


def test_what_cannot_be_is_refused() -> None:
    for made in (
        Scenario(levels=levels(Fraction(4)), limit=ItemLimit(1), items=10),
        Scenario(levels=levels(Fraction(500_000_000)), limit=ItemLimit(1)),
        Scenario(levels=levels(), limit=ItemLimit(1), time_limit_s=1.0),
    ):
        with pytest.raises(UsageError):
            Simulation(made)
