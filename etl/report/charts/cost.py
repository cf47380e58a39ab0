"""How long items take by how much work they are."""

from collections.abc import Sequence
from dataclasses import dataclass

from etl.report import words
from etl.report.charts.scales import Tick, decades, every, log_place
from etl.report.facts import Cost

HEIGHT = 200.0
"""Of the picture, pixels."""

_HEAD = 18.0
_LABELS = 6


@dataclass(frozen=True, slots=True)
class Bin:
    """The items of about one weight: where half of them and 95 of 100 lie below."""

    left: float
    median: float
    p95: float
    title: str


@dataclass(frozen=True, slots=True)
class CostChart:
    """The picture; its vertical scale is logarithmic, lines are at powers of ten."""

    bins: list[Bin]
    lines: list[Tick]
    labels: list[Tick]


def draw(costs: Sequence[Cost]) -> CostChart:
    """Lay it out.

    Args:
        costs: At least one, by weight.
    """
    low, high = decades([number for cost in costs for number in (cost.median_ms, cost.p95_ms)])
    slot = 100 / len(costs)

    def top(number: float) -> float:
        return round(HEIGHT - (HEIGHT - _HEAD) * log_place(number, low, high), 1)

    lines: list[Tick] = []
    at = low
    while at <= high * 1.001:
        lines.append(Tick(top(at), words.round_time(at / 1000)))
        at *= 10
    return CostChart(
        bins=[
            Bin(
                round(slot * (place + 0.5), 2), top(cost.median_ms), top(cost.p95_ms),
                f"weight {weights(cost)}: {words.items(cost.items, 'attempt')}, half within "
                f"{words.milliseconds(cost.median_ms)}, 95 % within "
                f"{words.milliseconds(cost.p95_ms)}",
            )
            for place, cost in enumerate(costs)
        ],
        lines=lines,
        labels=[
            Tick(round(slot * (place + 0.5), 2), short(costs[place].from_weight))
            for place in every(len(costs), _LABELS)
        ],
    )  # fmt: skip


def weights(cost: Cost) -> str:
    """Which weights a bin holds: 0, 1, 2 to 3, 1,024 to 2,047."""
    last = cost.below_weight - 1
    if last <= cost.from_weight:
        return words.count(cost.from_weight)
    return f"{words.count(cost.from_weight)} to {words.count(last)}"


def short(weight: float) -> str:
    """A power of two in few letters: 512, 1k, 64k, 1M."""
    for power, letter in ((2**60, "E"), (2**50, "P"), (2**40, "T"), (2**30, "G"), (2**20, "M")):
        if weight >= power:
            return f"{weight / power:.0f}{letter}"
    return f"{weight / 1024:.0f}k" if weight >= 1024 else f"{weight:.0f}"
