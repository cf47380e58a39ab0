"""How long the longest dirty item of each level had waited, before and after each cycle."""

from collections.abc import Sequence
from dataclasses import dataclass

from etl.ledger.cycles import CycleRow, LevelRow
from etl.report import words
from etl.report.charts.scales import height_of

HEIGHT = 52.0
"""Of the row of a level, pixels."""

_MARGIN = 6.0


@dataclass(frozen=True, slots=True)
class Stem:
    """A level in a cycle; a place is None where the age is unknown.

    Attributes:
        left: Percent.
        before: Where the age stood when the cycle began, pixels from the top.
        after: When it had finished.
    """

    left: float
    before: float | None
    after: float | None
    title: str


@dataclass(frozen=True, slots=True)
class Row:
    """A level.

    Attributes:
        age_s: The latest known age; None: unknown.
        longest_s: The largest age in these cycles, before or after one; None: none is known.
        most_s: The end of its scale.
        goal: Where its goal lies, pixels from the top; None: it has none.
    """

    level: int
    name: str
    age_s: float | None
    goal_s: float | None
    is_late: bool
    longest_s: float | None
    most_s: float
    goal: float | None
    stems: list[Stem]


def draw(cycles: Sequence[CycleRow]) -> list[Row]:
    """Lay out the levels of which an age is known, or a goal.

    Args:
        cycles: At least one, the earliest first.
    """
    numbers = sorted({level.level for cycle in cycles for level in cycle.levels if level.level})
    by_number = [
        [next((level for level in c.levels if level.level == number), None) for c in cycles]
        for number in numbers
    ]
    return [
        _row(cycles, row)
        for row in by_number
        if any(level and (level.age_s or level.oldest_s or level.goal_s) for level in row)
    ]


def _row(cycles: Sequence[CycleRow], levels: Sequence[LevelRow | None]) -> Row:
    known = [level for level in levels if level is not None]
    last = known[-1]
    ages = [age for level in known for age in (level.oldest_s, level.oldest_left_s) if age]
    most_s = max([*ages, (last.goal_s or 0.0) * 1.1, 1.0])
    slot = 100 / len(cycles)
    stems = [
        Stem(
            round(slot * (place + 0.5), 2),
            _place(level.oldest_s, most_s),
            _place(level.age_left_s, most_s),
            _title(cycles[place], level),
        )
        for place, level in enumerate(levels)
        if level is not None and (level.oldest_s is not None or level.age_left_s is not None)
    ]
    return Row(
        level=last.level,
        name=last.name,
        age_s=last.age_s,
        goal_s=last.goal_s,
        is_late=last.is_late,
        longest_s=max(ages, default=None),
        most_s=most_s,
        goal=_place(last.goal_s, most_s),
        stems=stems,
    )


def _place(age_s: float | None, most_s: float) -> float | None:
    if age_s is None:
        return None
    return round(HEIGHT - _MARGIN - height_of(age_s, most_s, HEIGHT - 2 * _MARGIN), 1)


def _title(cycle: CycleRow, level: LevelRow) -> str:
    before, after = words.duration(level.oldest_s), words.duration(level.age_left_s)
    return f"cycle {cycle.cycle_id}, {level.name}: {before} at its beginning, {after} at its end"
