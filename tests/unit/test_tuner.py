"""How many workers a cycle goes on with, decided by what each number of them brought."""

from collections.abc import Callable

import pytest

from etl.crew.tuner import Tuner

Rate = Callable[[int], float]


def settle(tuner: Tuner, rate: Rate) -> float:
    """Let time pass until it has decided. Returns how long it took, seconds."""
    now, items = 100.0, 0.0
    while not tuner.is_settled:
        now += 0.2
        items += 0.2 * rate(tuner.workers)
        tuner.observe(now, int(items))
        assert now < 1000
    return now - 100.0


def limited(most: float, each: float = 100.0) -> Rate:
    """A server that gives each worker so many items a second, and no more than these to all."""
    return lambda workers: min(workers * each, most)


def crowded(workers: int) -> float:
    """A server on which workers only stand in each other's way."""
    return 100.0 / workers


@pytest.mark.parametrize(
    ("rate", "chosen"),
    [(limited(100), 1), (limited(200), 2), (limited(410), 4), (limited(1e9), 16), (crowded, 1)],
)
def test_it_stops_where_more_workers_bring_nothing(rate: Rate, chosen: int) -> None:
    tuner = Tuner(1, 16)
    settle(tuner, rate)
    assert tuner.workers == chosen
    assert [workers for workers, _ in tuner.tried][:2] == [1, 2]


def test_it_begins_with_the_given_number_and_never_has_fewer() -> None:
    tuner = Tuner(7, 12)
    settle(tuner, limited(100, each=1))
    assert (tuner.workers, tuner.tried[0][0]) == (12, 7)
    tuner = Tuner(7, 3)
    settle(tuner, limited(100))
    assert tuner.workers == 7


def test_a_window_is_as_long_as_it_takes_to_tell() -> None:
    slow = Tuner(1, 2)
    assert 20 < settle(slow, limited(1e9, each=1)) < 25
    assert slow.workers == 2
    assert settle(Tuner(1, 2), limited(0)) < 45


def test_what_was_tried_is_told_with_its_rate() -> None:
    tuner = Tuner(1, 16)
    settle(tuner, limited(200))
    rates = [(workers, round(rate, -1)) for workers, rate in tuner.tried]
    assert rates == [(1, 100), (2, 200), (3, 200)]
