"""What a key of a job.toml may say, and what holds where it says nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from etl.settings import LARGEST, WEEK_S, seconds_in

MISSING: Any = object()
"""The default of a key that has to be there."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key, whatever its name.

    Attributes:
        must: What it must be, for whoever wrote something else.
        accepts: Whether it is that.
        default: Its value where the file does not say; ``MISSING``: it has to.
        unit: What its name as an attribute has in addition.
        convert: From what the file says to the value.
    """

    must: str
    accepts: Callable[[Any], object]
    default: Any = MISSING
    unit: str = ""
    convert: Callable[[Any], Any] = lambda value: value


def number(default: float, least: int = 1, most: int = LARGEST) -> Key:
    """A whole number, or any where the default has a point."""
    kinds = (int, float) if isinstance(default, float) else (int,)
    must = f"a {'number' if float in kinds else 'whole number'} from {least} to {most}"
    return Key(must, lambda given: type(given) in kinds and least <= given <= most, default)


def duration(default: float | None, longest_s: float = WEEK_S, *, may_be_0: bool = False) -> Key:
    """A time such as 500ms; its value and its default are seconds, and its attribute says so."""

    def read(given: object) -> float | None:
        if may_be_0 and given == "0s":
            return 0.0
        return seconds_in(given, longest_s) if isinstance(given, str) else None

    must = "a duration such as 500ms, 60s, 15m, 7d"
    return Key(must, lambda given: read(given) is not None, default, "_s", read)


def line(default: Any = MISSING) -> Key:
    """A text on one line."""
    return Key("one line of text without control characters", is_line, default)


def named(matches: Callable[[str], object], must: str) -> Key:
    """A text that has to be of a form."""
    return Key(must, lambda given: isinstance(given, str) and matches(given))


def choice(*choices: str) -> Key:
    """One of these texts, the first unless the file says."""
    return Key(f"one of: {', '.join(choices)}", choices.__contains__, choices[0])


def flag(*, default: bool) -> Key:
    """True or false."""
    return Key("true or false", lambda given: isinstance(given, bool), default)


def table() -> Key:
    """A table, read as a section of its own."""
    return Key("a table", lambda given: isinstance(given, dict), None)


def is_texts(given: object) -> bool:
    """Whether something is a list of texts."""
    return isinstance(given, list) and all(
        isinstance(one, str) for one in cast(list[object], given)
    )


def is_line(given: object) -> bool:
    """Whether something is one line of text without control characters."""
    return isinstance(given, str) and given != "" and given.isprintable()
