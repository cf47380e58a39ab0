"""How often, or at which time of the day."""

import re
from dataclasses import dataclass

from etl.errors import UsageError
from etl.settings import duration_s

_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])\Z", re.ASCII)
_HOUR, _DAY = 60, 24 * 60


@dataclass(frozen=True, slots=True)
class Every:
    """At intervals.

    Attributes:
        minutes: From one run to the next.
    """

    minutes: int

    @property
    def cron(self) -> str:
        """The five fields of a crontab line.

        Raises:
            UsageError: Cron has no such interval.
        """
        minutes, hours = self._parts()
        if minutes:
            return "* * * * *" if minutes == 1 else f"*/{minutes} * * * *"
        if hours:
            return {1: "0 * * * *", 24: "0 0 * * *"}.get(hours, f"0 */{hours} * * *")
        raise UsageError(
            f"cron cannot run anything every {self.minutes} minutes",
            "Take minutes that divide an hour, or hours that divide a day; "
            "'etl schedule systemd' can do it.",
        )

    @property
    def timer(self) -> list[str]:
        """The lines of a systemd timer. By the calendar where it has such an interval."""
        minutes, hours = self._parts()
        if minutes:
            return _calendar("*:*" if minutes == 1 else f"*:0/{minutes}")
        if hours:
            hour = {1: "*", 24: "00"}.get(hours, f"0/{hours}")
            return _calendar(f"*-*-* {hour}:00:00")
        return ["OnActiveSec=1min", f"OnUnitActiveSec={self.minutes}min"]

    def _parts(self) -> tuple[int, int]:
        """Minutes that divide an hour, or hours that divide a day; else both 0."""
        if _HOUR % self.minutes == 0 and self.minutes < _HOUR:
            return self.minutes, 0
        return 0, self.minutes // _HOUR if _DAY % self.minutes == 0 == self.minutes % _HOUR else 0


@dataclass(frozen=True, slots=True)
class Daily:
    """Once a day, by the clock of this machine.

    Attributes:
        hour: 0 to 23.
        minute: 0 to 59.
    """

    hour: int
    minute: int

    @property
    def cron(self) -> str:
        """The five fields of a crontab line."""
        return f"{self.minute} {self.hour} * * *"

    @property
    def timer(self) -> list[str]:
        """The lines of a systemd timer."""
        return _calendar(f"*-*-* {self.hour:02}:{self.minute:02}:00")


When = Every | Daily


def _calendar(when: str) -> list[str]:
    return [f"OnCalendar={when}", "Persistent=true"]


def read(every: str | None, at: str | None) -> When:
    """Read ``--every`` and ``--at``; with neither, every 15 minutes.

    Raises:
        UsageError: Both are given, or one makes no sense.
    """
    if every is not None and at is not None:
        raise UsageError("--every and --at exclude each other", "Make two schedules.")
    if at is not None:
        match = _TIME.match(at)
        if match is None:
            raise UsageError(f"--at must be a time of the day, not {at!r}", "Such as --at 02:30.")
        return Daily(int(match[1]), int(match[2]))
    seconds = duration_s("--every", every or "15m")
    if seconds % 60:
        raise UsageError(f"--every must be whole minutes, not {every!r}", "Such as --every 15m.")
    return Every(int(seconds) // 60)
