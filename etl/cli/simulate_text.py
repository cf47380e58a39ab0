"""A simulation told: as JSON, and for people."""

from dataclasses import asdict
from typing import Any, NamedTuple

from etl.cli.output import Cell, columns
from etl.cli.words import age, counted, seconds
from etl.simulation import Ages, LevelState, Outlook, Scenario, Shown


class Subject(NamedTuple):
    """What a simulation is about: nothing in particular, or a job.

    Attributes:
        job: The job's name.
        title: What a person calls it.
        unit: What one item is.
        learned_from: From so many cycles to their next ones arrivals were counted.
    """

    job: str | None = None
    title: str = "Items"
    unit: str = "item"
    learned_from: int = 0


def as_object(subject: Subject, scenario: Scenario, outlook: Outlook) -> dict[str, Any]:
    """A simulation as docs/json/simulate.schema.json describes it."""
    names = ("items", "cycles", "every_s", "workers", "time_limit_s", "reserved_percent", "seed")
    return {
        **subject._asdict(),
        **{name: getattr(scenario, name) for name in names},
        "max_items": scenario.limit.max_items,
        "arrivals_per_cycle": float(scenario.arrivals),
        "backlog_before": scenario.backlog,
        **asdict(outlook),
        "shown": [_shown(one, scenario.every_s) for one in outlook.shown],
    }


def _shown(shown: Shown, every_s: float) -> dict[str, Any]:
    return {
        **asdict(shown.cycle),
        "levels": [
            {
                **asdict(level),
                "left": _ages(level.left, every_s),
                "waited": _ages(level.waited, every_s),
            }
            for level in shown.levels
        ],
    }


def _ages(ages: Ages, every_s: float) -> dict[str, float | None]:
    return {
        f"{name}_s": None if periods is None else periods * every_s
        for name, periods in asdict(ages).items()
    }


def as_text(subject: Subject, scenario: Scenario, outlook: Outlook) -> str:
    """A simulation for people."""
    unit = f"{subject.unit}s"
    limit = f"{scenario.limit.max_items:,} {unit} a cycle"
    if scenario.time_limit_s is not None:
        limit += f" and {seconds(scenario.time_limit_s)}"
    arrivals = f"{float(scenario.arrivals):,.1f}".removesuffix(".0")
    of = "" if scenario.items is None else f" of {scenario.items:,}"
    lines = [
        f"{subject.title}, simulated: {counted(scenario.cycles, 'cycle')}, one every "
        f"{age(scenario.every_s)}, at most {limit}, {counted(scenario.workers, 'worker')}",
        f"{arrivals} {unit}{of} become dirty from one cycle to the next, "
        f"{scenario.backlog:,} are so at the beginning",
        "",
        *_cycles(outlook.shown, scenario.every_s),
        "",
        *_levels(outlook.shown[-1].levels, scenario.every_s),
        "",
        f"backlog: {_verdict(scenario, outlook, unit)}",
    ]
    if subject.learned_from:
        lines.append(f"learned from {counted(subject.learned_from, 'cycle')} and what followed")
    return "\n".join(lines)


def _cycles(shown: list[Shown], every_s: float) -> list[str]:
    titles = ("cycle", "came in", "done", "left", "oldest left", "takes",
              *(f"left {level.level}" for level in shown[-1].levels))  # fmt: skip
    rows = [
        (
            *(one.cycle.number, one.cycle.arrived, one.cycle.done, one.cycle.backlog),
            _age(_oldest(one.levels), every_s),
            seconds(one.cycle.predicted.mean_s) if one.cycle.predicted else None,
            *(level.backlog for level in one.levels),
        )
        for one in shown
    ]
    return columns(titles, rows)


def _oldest(levels: list[LevelState]) -> int | None:
    return max((one.left.oldest for one in levels if one.left.oldest is not None), default=None)


def _levels(levels: list[LevelState], every_s: float) -> list[str]:
    titles = ("level in the end", "came in", "done", "left", "oldest", "p95", "p50",
              "waited at most", "p95", "p50")  # fmt: skip
    rows: list[tuple[Cell, ...]] = [
        (
            f"{level.level} {level.name}",
            *(level.arrived, level.done, level.backlog),
            *(_age(n, every_s) for n in (level.left.oldest, level.left.p95, level.left.p50)),
            *(_age(n, every_s) for n in (level.waited.oldest, level.waited.p95, level.waited.p50)),
        )
        for level in levels
    ]
    return columns(titles, rows)


def _age(periods: int | None, every_s: float) -> str:
    return age(None if periods is None else periods * every_s)


def _verdict(scenario: Scenario, outlook: Outlook, unit: str) -> str:
    can = f"a cycle can do {outlook.capacity:,} {unit}"
    most = f"at most {outlook.largest_backlog:,} were left"
    if outlook.gone_in_cycles is None:
        return f"never gone at these settings: {can}; {most}"
    after = age(outlook.gone_in_cycles * scenario.every_s)
    when = f"gone after {counted(outlook.gone_in_cycles, 'cycle')} ({after})"
    if not outlook.is_reached:
        return f"{outlook.backlog:,} left; it would be {when}; {can}"
    return f"{when}; {can}; {most}"
