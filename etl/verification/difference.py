"""Where a stored result differs from the recomputed one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

_SHOWN = 60
_NOT_THERE = "(not there)"

Result = dict[str, Any]
"""A row of result.sql, by column."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A column that is not what it should be.

    Attributes:
        column: Its name.
        stored: What is stored, shortened.
        recomputed: What should be, shortened.
    """

    column: str
    stored: str
    recomputed: str


def compare(
    stored: Result | None, recomputed: Result | None
) -> tuple[str, tuple[Difference, ...]] | None:
    """What is wrong with a stored result, in one line and by column; None: nothing."""
    if stored == recomputed:
        return None
    if stored is None:
        return "has no result", ()
    if recomputed is None:
        return "has a result, and should have none", ()
    differences = tuple(_differences(stored, recomputed))
    first = differences[0]
    more = f" and {len(differences) - 1} more" if len(differences) > 1 else ""
    told = f"{first.column} is {first.stored}, should be {first.recomputed}"
    return f"differs in {told}{more}", differences


def _differences(stored: Result, recomputed: Result) -> Iterator[Difference]:
    """The columns that differ, and within a JSON object the members that do."""
    for name in {**stored, **recomputed}:
        one: Any = stored.get(name, _NOT_THERE)
        other: Any = recomputed.get(name, _NOT_THERE)
        if one == other:
            continue
        if isinstance(one, dict) and isinstance(other, dict):
            for inner in _differences(cast(Result, one), cast(Result, other)):
                yield Difference(f"{name}.{inner.column}", inner.stored, inner.recomputed)
        else:
            yield Difference(name, *_where(cast(object, one), cast(object, other)))


def _where(stored: object, recomputed: object) -> tuple[str, str]:
    """Two values that differ; of lists the first place where they do."""
    shown = _short(stored), _short(recomputed)
    if isinstance(stored, list) and isinstance(recomputed, list):
        pairs = zip(cast("list[object]", stored), cast("list[object]", recomputed), strict=False)
        for place, (one, other) in enumerate(pairs, 1):
            if one != other:
                return f"{_short(one)} at place {place}", f"{_short(other)} there"
    return shown


def _short(value: object) -> str:
    text = "null" if value is None else str(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
