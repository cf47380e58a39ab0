"""What each of the last cycles found, did and left."""

from collections.abc import Sequence
from dataclasses import dataclass

from etl.ledger.cycles import CycleRow
from etl.report import words
from etl.report.charts.scales import Tick, every, height_of, round_steps

HEIGHT = 180.0
"""Of the picture, pixels."""

_HEAD = 18.0  # room for the number on the highest line
_WIDEST = 7.0  # percent
_LABELS = 6
_KINDS = ("done", "failed", "orphaned", "busy", "remaining")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a column; kind is done, failed, busy, orphaned or remaining."""

    kind: str
    top: float
    height: float


@dataclass(frozen=True, slots=True)
class Column:
    """A cycle."""

    cycle_id: int
    left: float
    width: float
    parts: list[Part]
    title: str


@dataclass(frozen=True, slots=True)
class BacklogChart:
    """The picture; lines are at round numbers of items, labels are the ids of cycles.

    Attributes:
        kinds: Of parts, those that there are, from the bottom.
    """

    columns: list[Column]
    kinds: list[str]
    lines: list[Tick]
    labels: list[Tick]


def draw(cycles: Sequence[CycleRow], unit: str) -> BacklogChart:
    """Lay it out.

    Args:
        cycles: At least one, the earliest first.
        unit: What an item is.
    """
    most = max(1, *(cycle.found for cycle in cycles))
    slot = 100 / len(cycles)
    width = min(_WIDEST, slot * 0.72)
    lines = [
        Tick(_top(at, most), f"{at:,.0f}")
        for at in round_steps(most, 4)
        if at == int(at)  # there is no half item
    ]
    columns = [
        _column(cycle, round(slot * (place + 0.5) - width / 2, 2), round(width, 2), most, unit)
        for place, cycle in enumerate(cycles)
    ]
    there_are = {part.kind for column in columns for part in column.parts}
    return BacklogChart(
        columns=columns,
        kinds=[kind for kind in _KINDS if kind in there_are],
        lines=lines,
        labels=[
            Tick(round(slot * (place + 0.5), 2), str(cycles[place].cycle_id))
            for place in every(len(cycles), _LABELS)
        ],
    )


def _top(value: float, most: float) -> float:
    return round(HEIGHT - (HEIGHT - _HEAD) * value / most, 1)


def _column(cycle: CycleRow, left: float, width: float, most: int, unit: str) -> Column:
    numbers = (cycle.done, cycle.failed, cycle.orphaned, cycle.busy, cycle.remaining)
    counts = dict(zip(_KINDS, numbers, strict=True))
    parts: list[Part] = []
    bottom = HEIGHT
    for kind, number in counts.items():
        tall = height_of(number, most, HEIGHT - _HEAD)
        if tall:
            bottom = round(bottom - tall, 1)
            parts.append(Part(kind, bottom, tall))
    told = ", ".join(f"{number:,} {kind}" for kind, number in counts.items() if number)
    title = f"cycle {cycle.cycle_id}, {words.moment(cycle.started_at)}: found "
    return Column(
        cycle.cycle_id,
        left,
        width,
        parts,
        title + words.items(cycle.found, unit) + (f": {told}" if told else ""),
    )
