"""Scales, and the round numbers beside them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

_ROUND = (1.0, 2.0, 5.0)
_TIMES_S = (60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)


@dataclass(frozen=True, slots=True)
class Tick:
    """A round number beside a scale.

    Attributes:
        place: Percent of the width, or pixels from the top.
        anchor: Which end of a text lies there: start, middle or end.
    """

    place: float
    text: str
    anchor: str = "middle"


def percent_of(value: float, most: float) -> float:
    """The place of a value on a scale from 0 to ``most``, in percent; never beyond it."""
    return round(100 * min(1.0, max(0.0, value / most)), 2) if most > 0 else 0.0


def height_of(value: float, most: float, height: float) -> float:
    """The height of a value on a scale from 0 to ``most``, pixels; seen even if it is tiny."""
    if value <= 0 or most <= 0:
        return 0.0
    return round(max(1.0, height * min(1.0, value / most)), 1)


def round_steps(most: float, steps: int, *, is_time: bool = False) -> list[float]:
    """Round numbers from 0 on, the last not beyond ``most``.

    Args:
        most: The end of the scale; above 0.
        steps: How many steps at most, beside 0.
        is_time: Seconds: from a minute on in minutes, hours and days.
    """
    least = most / steps
    if is_time and least > 30:
        step = next((float(time) for time in _TIMES_S if time >= least), 0.0)
        step = step or 86400 * _round_up(least / 86400)
    else:
        step = _round_up(least)
    return [step * number for number in range(math.floor(most / step * (1 + 1e-9)) + 1)]


def _round_up(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return next((power * n for n in _ROUND if power * n >= value * (1 - 1e-9)), power * 10)


def decades(values: Sequence[float]) -> tuple[float, float]:
    """The powers of ten around values, as the ends of a logarithmic scale.

    Args:
        values: At least one; those that are not above 0 are left out.
    """
    positive = [value for value in values if value > 0] or [1.0]
    low = 10.0 ** math.floor(math.log10(min(positive)))
    high = 10.0 ** math.ceil(math.log10(max(positive)))
    return low, max(high, low * 10)


def log_place(value: float, low: float, high: float) -> float:
    """The place of a value between the ends of a logarithmic scale, 0 to 1; never beyond them."""
    if value <= low:
        return 0.0
    return min(1.0, math.log(value / low) / math.log(high / low))


def every(length: int, most: int) -> range:
    """The places of at most so many of a row of things, evenly, the last among them."""
    step = max(1, math.ceil(length / most))
    return range((length - 1) % step, length, step)
