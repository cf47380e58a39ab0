"""Numbers, times and durations as a person reads them."""

from collections.abc import Callable
from datetime import UTC, datetime

UNKNOWN = "–"  # noqa: RUF001 (a dash, as tables have it)
"""Stands where nothing is known."""

_LONGEST = 160
_UNITS = ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))


def count(number: float | None) -> str:
    """A whole number with separators: 63,887."""
    return UNKNOWN if number is None else f"{number:,.0f}"


def items(number: int, unit: str) -> str:
    """A number of items: 1 user, 2 users."""
    return f"{number:,} {unit}{'' if number == 1 else 's'}"


def rate(number: float) -> str:
    """Items a second, with as many digits as mean something."""
    return f"{number:,.0f}" if number >= 10 else f"{number:.1f}"


def duration(seconds: float | None) -> str:
    """A duration in its two largest units: 350 ms, 12.3 s, 4 min 5 s, 3 h 12 min, 5 d 4 h."""
    if seconds is None:
        return UNKNOWN
    if seconds == 0:
        return "0 s"
    if seconds < 0.9995:
        return milliseconds(seconds * 1000)
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    larger, name, smaller, smaller_name = next(unit for unit in _UNITS if whole >= unit[0])
    first, rest = divmod(whole, larger)
    second = rest // smaller
    return f"{first:,} {name}" + (f" {second} {smaller_name}" if second else "")


def milliseconds(number: float | None) -> str:
    """A short duration: 0.43 ms, 12.3 ms, 350 ms; from a second on as any other."""
    if number is None:
        return UNKNOWN
    if number >= 999.5:
        return duration(number / 1000)
    digits = 2 if number < 9.995 else 1 if number < 99.95 else 0
    return f"{number:.{digits}f} ms"


def round_time(seconds: float) -> str:
    """A round number of a scale: 0, 5 ms, 20 s, 2 min."""
    if seconds == 0:
        return "0"
    if seconds < 1:
        return f"{seconds * 1000:.6g} ms"
    return f"{seconds:.6g} s" if seconds < 60 else duration(seconds)


def percent(share: float) -> str:
    """A share of 1: 3 %; 0.4 % where it is small."""
    return f"{share * 100:.0f} %" if share >= 0.01 or share == 0 else f"{share * 100:.1f} %"


def moment(at: datetime | None) -> str:
    """A time, UTC, to the second."""
    return UNKNOWN if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def shortened(as_line: Callable[[str], str]) -> Callable[[str | None], str]:
    """A filter for texts out of the data: one line of bearable length.

    Args:
        as_line: Makes any text one line without control characters.
    """

    def shorten(text: str | None) -> str:
        if text is None:
            return UNKNOWN
        line = as_line(text)
        rest = len(line) - _LONGEST
        return line if rest <= 0 else f"{line[:_LONGEST]}… ({rest:,} more characters)"

    return shorten
