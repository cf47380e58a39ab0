"""What the options of ``etl simulate`` come to, with what the database tells: its levels."""

import re
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from etl import settings
from etl.errors import UsageError
from etl.ledger.cost import ItemCost
from etl.simulation import LevelScenario
from etl.simulation.scenario import LARGEST

if TYPE_CHECKING:
    from etl.simulation.past import Past

_COUNT = re.compile(r"(?:(\d{1,9})=)?(\d{1,10}(?:\.\d{1,9})?)(%?)\Z", re.ASCII)


def levels(
    past: "Past | None",
    items: int | None,
    arrivals: str | None,
    backlog: str | None,
    times: int,
    item_ms: float | None,
) -> tuple[LevelScenario, ...]:
    """The levels at the beginning.

    Args:
        past: What the job's database tells; None where there is no job.
        items: So many exist, if that is known.
        arrivals: As typed; None: as the database has it.
        backlog: As typed; None: as the database has it.
        times: As if the database had so many times as much.
        item_ms: What one item takes, milliseconds; None: as the database has it.

    Raises:
        UsageError: An option is not understood, or what comes in is known from nowhere.
    """
    known = {
        level.level: replace(
            level,
            arrivals=level.arrivals * times,
            backlog=tuple((age, count * times) for age, count in level.backlog),
        )
        for level in (past.levels if past is not None else ())
    }
    if arrivals is None and (past is None or not past.cycles):
        raise UsageError(
            "nobody knows how many items become dirty from one cycle to the next",
            "Give --arrivals, such as 265 or 1=100,6=165; or a job that has had two cycles.",
        )
    if arrivals is not None:
        shares = {number: level.arrivals for number, level in known.items()}
        arrived = _counts("--arrivals", arrivals, items, shares)
        for number in {*known, *arrived}:
            count = arrived.get(number, Fraction())
            known[number] = replace(_level(known, number), arrivals=count)
    if backlog is not None:
        shares = {n: Fraction(sum(count for _, count in x.backlog)) for n, x in known.items()}
        dirty = _whole(_counts("--backlog", backlog, items, shares))
        for number in {*known, *dirty}:
            known[number] = replace(_level(known, number), backlog=((1, dirty.get(number, 0)),))
    if item_ms is not None:
        cost = ItemCost(1, item_ms, 0.0)
        known = {number: replace(level, cost=cost) for number, level in known.items()}
    return tuple(known[number] for number in sorted(known))


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


def existing_items(text: str) -> int:
    """How many items exist, as ``--items`` says.

    Raises:
        UsageError: It is no such number.
    """
    count = settings.positive("--items", text.replace(",", "").replace("_", ""))
    if count > LARGEST:
        raise UsageError(f"--items is {LARGEST:,} at most, not {text!r}", "Give fewer.")
    return count
