"""The benchmark runs: every bar at a tiny size, with a figure whose value means nothing."""

import math
import sys

import pytest

from tests.bench.__main__ import BARS
from tests.conftest import REPOSITORY, run_program

PARTS = ([*range(1, 9)], [*range(9, 16)], [*range(16, 21)], [*range(21, 24)])


def test_no_bar_is_left_out() -> None:
    assert sorted(BARS) == [bar for part in PARTS for bar in part]


@pytest.mark.parametrize("bars", PARTS, ids=lambda bars: f"{bars[0]} to {bars[-1]}")
def test_every_bar_is_measured_and_told(bars: list[int]) -> None:
    command = [sys.executable, "-m", "tests.bench", *map(str, bars), "--smoke", "--json"]
    done = run_program(*command, cwd=REPOSITORY).ended(0)
    found = done.record
    assert {one["bar"] for one in found} == set(bars)
    assert all(math.isfinite(one["figure"]) and one["figure"] > 0 for one in found)
    for one in found:
        told = [
            line for line in done.err.splitlines() if f"bar {one['bar']}: {one['what']}: " in line
        ]
        assert len(told) == 1
        assert told[0].endswith(": ok" if one["is_met"] else ": missed")
