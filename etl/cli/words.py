"""Numbers, durations and moments in words, for people."""

from datetime import UTC, datetime

_UNITS = {86_400: "days", 3600: "h", 60: "min"}


def counted(number: int, unit: str) -> str:
    """So many of them: "1 user", "2,000 users"."""
    return f"{number:,} {unit}{'' if number == 1 else 's'}"


def seconds(duration_s: float | None) -> str:
    """A duration, as exact as its size calls for; a dash where there is none."""
    if duration_s is None:
        return "-"
    if duration_s < 1:
        return f"{duration_s * 1000:.0f} ms"
    if duration_s < 100:
        return f"{duration_s:.1f} s"
    minutes, rest = divmod(round(duration_s), 60)
    if minutes < 100:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours / 24:.1f} days"


def age(duration_s: float | None) -> str:
    """How long something has been so: whole units."""
    if duration_s is None:
        return "-"
    for unit, name in _UNITS.items():
        if duration_s >= 2 * unit:
            return f"{duration_s / unit:,.0f} {name}"
    return f"{duration_s:.0f} s"


def moment(at: datetime | None) -> str:
    """A moment in UTC, to the second."""
    return "-" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
