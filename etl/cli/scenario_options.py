"""What the options of ``etl simulate`` come to, with what the database tells: a scenario."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from etl import settings
from etl.errors import UsageError
from etl.ledger.cost import ItemCost
from etl.settings import ItemLimit
from etl.simulation import LevelScenario, Scenario
from etl.simulation.scenario import LARGEST

if TYPE_CHECKING:
    from etl.desk.past import Past
    from etl.job import Job

_COUNT = re.compile(r"(?:(\d{1,9})=)?(\d{1,10}(?:\.\d{1,9})?)(%?)\Z", re.ASCII)
_MAX_ITEMS = 1000
_RESERVED_PERCENT = 10
_WEEK_MS = 7 * 86_400_000


@dataclass(frozen=True, slots=True)
class Given:
    """The options, as typed; None: not given."""

    items: str | None
    arrivals: str | None
    backlog: str | None
    times: int
    item_ms: float | None
    cycles: int
    max_items: int | None
    workers: int | None
    every_s: float
    time_limit: str | None
    reserved_percent: int | None
    seed: int | None


@dataclass(frozen=True, slots=True)
class Named:
    """What a simulation is about.

    Attributes:
        job: The job's name; None: no job.
        title: What a person calls it.
        unit: What one item is.
        learned_from: From so many cycles to their next ones arrivals were counted.
    """

    job: str | None
    title: str
    unit: str
    learned_from: int

    @classmethod
    def of(cls, job: "Job | None", past: "Past | None") -> "Named":
        """Of a job, or of none."""
        if job is None or past is None:
            return cls(None, "Items", "item", 0)
        return cls(job.name, job.title, job.unit, past.cycles)


def scenario(
    given: Given, job: "Job | None", past: "Past | None", environ: Mapping[str, str]
) -> Scenario:
    """The scenario.

    Args:
        given: The options.
        job: The job; None: none.
        past: What its database tells; None where there is no job.
        environ: As it counts for a cycle.

    Raises:
        UsageError: An option is not understood, or what comes in is known from nowhere.
    """
    items = None if given.items is None else _items(given.items)
    levels = _levels(given, past, items)
    unit, most = ("item", _MAX_ITEMS) if job is None else (job.unit, job.max_items)
    reserved = _RESERVED_PERCENT if job is None else job.reserved_percent
    time_limit_s = None if job is None else job.time_limit_s
    model = None if past is None else past.model
    found = Scenario(
        levels=levels,
        limit=ItemLimit.read(given.max_items, environ, unit, most),
        cycles=given.cycles,
        reserved_percent=settings.reserved_percent(given.reserved_percent, environ, reserved),
        workers=given.workers or settings.worker_count(environ),
        every_s=given.every_s,
        time_limit_s=settings.time_limit_s(given.time_limit, environ, time_limit_s),
        items=items,
        seed=given.seed,
    )
    if model is None:
        return found
    return replace(found, fixed_s=model.fixed_s, stretch=model.stretch, spread=model.spread)


def _levels(given: Given, past: "Past | None", items: int | None) -> tuple[LevelScenario, ...]:
    known = {} if past is None else _known(past, given.times)
    if given.arrivals is None and (past is None or not past.cycles):
        raise UsageError(
            "nobody knows how many items become dirty from one cycle to the next",
            "Give --arrivals, such as 265 or 1=100,6=165; or a job that has had two cycles.",
        )
    if given.arrivals is not None:
        shares = {number: level.arrivals for number, level in known.items()}
        arrived = _counts("--arrivals", given.arrivals, items, shares)
        known = {
            number: replace(_level(known, number), arrivals=arrived.get(number, Fraction()))
            for number in {*known, *arrived}
        }
    if given.backlog is not None:
        shares = {
            number: Fraction(sum(count for _, count in level.backlog))
            for number, level in known.items()
        }
        dirty = _whole(_counts("--backlog", given.backlog, items, shares))
        known = {
            number: replace(_level(known, number), backlog=((1, dirty.get(number, 0)),))
            for number in {*known, *dirty}
        }
    if given.item_ms is not None:
        if not 0 <= given.item_ms <= _WEEK_MS:  # no number is neither
            raise UsageError(
                f"--item-ms must be from 0 to {_WEEK_MS:,}, not {given.item_ms}",
                "Write milliseconds, such as --item-ms 0.6.",
            )
        cost = ItemCost(1, given.item_ms, 0.0)
        known = {number: replace(level, cost=cost) for number, level in known.items()}
    return tuple(known[number] for number in sorted(known))


def _known(past: "Past", times: int) -> dict[int, LevelScenario]:
    return {
        level.level: LevelScenario(
            level.level,
            level.name,
            level.arrivals * times,
            tuple((age, count * times) for age, count in level.backlog),
            level.cost,
        )
        for level in past.levels
    }


def _level(known: Mapping[int, LevelScenario], number: int) -> LevelScenario:
    return known.get(number) or LevelScenario(number, f"level {number}")


def _counts(
    name: str, text: str, items: int | None, shares: Mapping[int, Fraction]
) -> dict[int, Fraction]:
    """Counts by level; a lone one is shared out as these levels have it, else is of level 1."""
    found: dict[int, Fraction] = {}
    for part in text.split(","):
        match = _COUNT.match(part.strip())
        number = int(match[1]) if match and match[1] else None
        if match is None or number == 0 or (number is None and "," in text) or number in found:
            raise UsageError(
                f"{name} must be a count, or one for each level, not {text!r}",
                f"Write {name} 265, {name} 0.5%, or {name} 1=100,6=165.",
            )
        count = Fraction(match[2])
        if match[3]:
            if items is None:
                raise UsageError(f"{name} {text} is a share of unknown size", "Give --items too.")
            count = count * items / 100
        if number is None:
            total = sum(shares.values(), Fraction())
            if not total:
                return {min(shares, default=1): count}
            return {level: count * share / total for level, share in shares.items()}
        found[number] = count
    return found


def _whole(counts: Mapping[int, Fraction]) -> dict[int, int]:
    """Whole numbers of the same sum: what is rounded off one level, the next one has."""
    found: dict[int, int] = {}
    rest = Fraction()
    for level, count in counts.items():
        rest += count
        found[level] = int(rest)
        rest -= found[level]
    return found


def _items(text: str) -> int:
    items = settings.positive("--items", text.replace(",", "").replace("_", ""))
    if items > LARGEST:
        raise UsageError(f"--items is {LARGEST:,} at most, not {text!r}", "Give fewer.")
    return items
