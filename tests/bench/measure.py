"""What a bar measures: samples, and the figure that is held against the bar."""

import json
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Samples:
    """The same figure, measured several times, in that order."""

    values: Sequence[float]

    @property
    def median(self) -> float:
        """What is reported."""
        return statistics.median(self.values)

    def told(self, unit: str) -> str:
        """The median and, where there are several, the lowest and the highest."""
        if len(self.values) == 1:
            return f"{short(self.median)} {unit}"
        ends = f"{short(min(self.values))} to {short(max(self.values))}"
        return f"{short(self.median)} {unit} ({ends})"


@dataclass(frozen=True)
class Measurement:
    """One line of the table.

    Attributes:
        bar: The number of the bar.
        what: What was measured.
        ours: Our figure, with its unit.
        rival: The rival and its figure; empty where the bar names none.
        figure: What is held against the bar: a ratio, or a figure of ours.
        unit: Of the figure; "x" is a ratio.
        bar_at: The least or the most that it may be.
        is_least: Which of the two.
        details: Further lines.
    """

    bar: int
    what: str
    ours: str
    rival: str
    figure: float
    unit: str
    bar_at: float
    is_least: bool
    details: tuple[str, ...] = ()

    @property
    def is_met(self) -> bool:
        """Whether the figure is on the right side of the bar."""
        return self.figure >= self.bar_at if self.is_least else self.figure <= self.bar_at

    def cells(self) -> tuple[str, ...]:
        sign = ">=" if self.is_least else "<="
        limit = f"{sign} {short(self.bar_at)} {self.unit}"
        verdict = "ok" if self.is_met else "missed"
        figure = f"{short(self.figure)} {self.unit}"
        return (str(self.bar), self.what, self.ours, self.rival or "-", figure, limit, verdict)

    def line(self) -> str:
        number, what, ours, rival, figure, limit, verdict = self.cells()
        head = f"bar {number}: {what}: {ours}; {rival}; {figure}; bar {limit}: {verdict}"
        return "\n".join([head, *(f"    {detail}" for detail in self.details)])


def alternate(
    rounds: int, ours: Callable[[], float], theirs: Callable[[], float]
) -> tuple[Samples, Samples]:
    """Measure both sides in turn; who goes first changes with every round."""
    mine: list[float] = []
    rivals: list[float] = []
    for number in range(rounds):
        if number % 2:
            rivals.append(theirs())
            mine.append(ours())
        else:
            mine.append(ours())
            rivals.append(theirs())
    return Samples(mine), Samples(rivals)


def compared(
    bar: int,
    what: str,
    ours: Samples,
    rival: str,
    theirs: Samples,
    unit: str,
    *details: str,
    least: float | None = None,
    most: float = 0.0,
) -> Measurement:
    """Our median as a multiple of the rival's; the bar is the least or the most that it may be."""
    return Measurement(
        bar=bar,
        what=what,
        ours=ours.told(unit),
        rival=f"{rival} {theirs.told(unit)}",
        figure=ours.median / theirs.median,
        unit="x",
        bar_at=most if least is None else least,
        is_least=least is not None,
        details=details,
    )


def alone(bar: int, what: str, ours: Samples, unit: str, *details: str, most: float) -> Measurement:
    """Our median, where the bar names no rival."""
    told = ours.told(unit)
    return Measurement(
        bar, what, told, "", ours.median, unit, most, is_least=False, details=details
    )


def took_s(action: Callable[[], object]) -> float:
    """What it takes, seconds."""
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def short(number: float) -> str:
    """Three digits, or all before the point."""
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def table(found: Sequence[Measurement]) -> str:
    """All of it, a line for each."""
    head = ("bar", "what", "ours", "rival", "figure", "bar at", "")
    rows = [head, *(one.cells() for one in found)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(head))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def as_json(found: Iterable[Measurement]) -> str:
    return json.dumps([{**asdict(one), "is_met": one.is_met} for one in found])
