"""Durations, ages and moments in words."""

from datetime import datetime, timedelta, timezone

import pytest

from etl.cli.words import age, moment, seconds


@pytest.mark.parametrize(
    ("duration_s", "text"),
    [
        (None, "-"),
        (0.0004, "0 ms"),
        (0.25, "250 ms"),
        (61.04, "61.0 s"),
        (100, "1 min 40 s"),
        (5999, "99 min 59 s"),
        (6000, "1 h 40 min"),
        (172_800, "2.0 days"),
    ],
)
def test_a_duration_is_as_exact_as_its_size_calls_for(duration_s: float, text: str) -> None:
    assert seconds(duration_s) == text


@pytest.mark.parametrize(
    ("duration_s", "text"),
    [
        (None, "-"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "120 min"),
        (7200, "2 h"),
        (86_399, "24 h"),
        (172_800, "2 days"),
        (86_400 * 4000, "4,000 days"),
    ],
)
def test_an_age_has_whole_units(duration_s: float, text: str) -> None:
    assert age(duration_s) == text


def test_a_moment_is_told_in_utc() -> None:
    berlin = timezone(timedelta(hours=1))
    assert moment(datetime(2026, 1, 16, 4, 30, 5, 999, berlin)) == "2026-01-16 03:30:05Z"
    assert moment(None) == "-"
