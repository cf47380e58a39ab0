"""Reads a job.toml; what is wrong in it is one error that names file and line."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etl.errors import FileError, UsageError
from etl.settings import LARGEST, LONGEST_S, duration_s
from etl.trust import read_file

# The name of a worker's session, of which PostgreSQL keeps 63 bytes, has it and a number.
NAME = re.compile(r"[a-z][a-z0-9_]{0,49}\Z")
"""What a job and its unit can be called."""

_LEVEL = re.compile(r"[1-9][0-9]{0,8}\Z")
_ACKNOWLEDGE = ("statement",)
_TOP: dict[str, type] = {
    "title": str,
    "summary": str,
    "unit": str,
    "acknowledge": str,
    "defaults": dict,
    "levels": dict,
    "freshness": dict,
    "health": dict,
}
_DEFAULTS: dict[str, Any] = {
    "max_items": 1000,
    "reserved_percent": 10,
    "max_attempts": 5,
    "keep_attempts_days": 90,
    "statement_timeout": "60s",
    "slow_statement_timeout": "10min",
    "lock_timeout": "1s",
    "time_limit": "",
}
_HEALTH: dict[str, Any] = {
    "replication_lag": "60s",
    "waiting_sessions": 20,
    "wraparound_vacuum": True,
    "wal_mb_per_s": 0.0,
    "load_per_processor": 0.0,
}
_KINDS: dict[type, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "a table",
}


@dataclass(frozen=True, slots=True)
class HealthLimits:
    """From when on a job's cycles claim nothing; 0: this signal does not matter.

    Attributes:
        replication_lag_s: A replica is behind by more, seconds.
        waiting_sessions: So many sessions have waited for locks for some seconds.
        wraparound_vacuum: Whether a vacuum that prevents wraparound goes before.
        wal_mb_per_s: More WAL is written, megabytes a second.
        load_per_processor: The load average of this host is higher, for each processor.
    """

    replication_lag_s: float = 60.0
    waiting_sessions: int = 20
    wraparound_vacuum: bool = True
    wal_mb_per_s: float = 0.0
    load_per_processor: float = 0.0


def read(path: Path) -> dict[str, Any]:
    """The attributes of a Job, but its folder.

    Raises:
        FileError: The file is missing or broken.
    """
    return _JobFile(path).attributes()


class _JobFile:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._text = _read(path)
        self._table = _parse(path, self._text)

    def attributes(self) -> dict[str, Any]:
        table = self._table
        self._check_keys(table, _TOP)
        defaults = self._section("defaults", _DEFAULTS)
        self._check_top()
        self._check_limits(defaults)
        levels = self._levels(table.get("levels", {}))
        limit = defaults["time_limit"]
        return {
            "title": table["title"],
            "summary": table.get("summary", table["title"]),
            "unit": table["unit"],
            "level_names": levels,
            "freshness_goals": self._goals(table.get("freshness", {}), levels),
            "health_limits": self._health(),
            **{
                key: defaults[key]
                for key in ("max_items", "reserved_percent", "max_attempts", "keep_attempts_days")
            },
            **{
                f"{key}_s": self._duration(key, defaults[key])
                for key in ("statement_timeout", "slow_statement_timeout", "lock_timeout")
            },
            "time_limit_s": self._duration("time_limit", limit) if limit else None,
        }

    def _section(self, name: str, known: dict[str, Any]) -> dict[str, Any]:
        """A table, with the defaults of what it does not say."""
        given = self._table.get(name, {})
        self._check_keys(given, {key: type(value) for key, value in known.items()}, name)
        return {**known, **given}

    def _check_keys(self, table: dict[str, Any], known: dict[str, type], section: str = "") -> None:
        for key, value in table.items():
            if key not in known:
                problem = f"is unknown; known are: {', '.join(known)}"
                raise self._wrong(key, problem, section)
            is_number = known[key] is float and type(value) is int
            if type(value) is not known[key] and not is_number:
                raise self._wrong(key, f"must be {_KINDS[known[key]]}", section)

    def _check_top(self) -> None:
        table = self._table
        missing = [key for key in ("title", "unit") if key not in table]
        if missing:
            hint = f'Add a line such as {missing[0]} = "user".'
            raise FileError(self._path, 1, f"{missing[0]} is missing", hint)
        for key in ("title", "summary"):
            if not _is_line(table.get(key, "?")):
                raise self._wrong(key, "must be one line without control characters")
        if not NAME.match(table["unit"]):
            raise self._wrong("unit", "must be one word in small letters")
        if table.get("acknowledge", "statement") not in _ACKNOWLEDGE:
            raise self._wrong("acknowledge", f"must be one of: {', '.join(_ACKNOWLEDGE)}")

    def _check_limits(self, defaults: dict[str, Any]) -> None:
        for key in ("max_items", "max_attempts", "keep_attempts_days"):
            if not 1 <= defaults[key] <= LARGEST:
                problem = f"must be at least 1 and at most {LARGEST}"
                raise self._wrong(key, problem, "defaults")
        if not 0 <= defaults["reserved_percent"] <= 99:
            raise self._wrong("reserved_percent", "must be from 0 to 99", "defaults")
        if "time_limit" in self._table.get("defaults", {}) and not defaults["time_limit"]:
            self._duration("time_limit", "")

    def _health(self) -> HealthLimits:
        limits = self._section("health", _HEALTH)
        for key in ("waiting_sessions", "wal_mb_per_s", "load_per_processor"):
            if not 0 <= limits[key] <= LARGEST:
                raise self._wrong(key, "must be a number from 0 on; 0: no limit", "health")
        return HealthLimits(
            self._duration("replication_lag", limits["replication_lag"], "health", may_be_0=True),
            *(limits[key] for key in list(_HEALTH)[1:]),
        )

    def _duration(
        self, key: str, value: str, section: str = "defaults", *, may_be_0: bool = False
    ) -> float:
        if may_be_0 and value == "0s":
            return 0.0
        try:
            return duration_s(key, value)
        except UsageError:
            problem = "must be a duration such as 500ms, 60s, 5min"
            raise self._wrong(key, problem, section) from None

    def _levels(self, table: dict[str, Any]) -> dict[int, str]:
        for key, name in table.items():
            if not _LEVEL.match(key) or not isinstance(name, str) or not _is_line(name):
                problem = 'must be a level and its name, such as 1 = "critical"'
                raise self._wrong(key, problem)
        return {int(key): name for key, name in table.items()}

    def _goals(self, table: dict[str, Any], names: dict[int, str]) -> dict[int, float]:
        numbers = {name: number for number, name in names.items()}
        goals: dict[int, float] = {}
        for name, goal in table.items():
            if name not in numbers:
                problem = f"is no level; levels are: {', '.join(numbers)}"
                raise self._wrong(name, problem, "freshness")
            told = goal if isinstance(goal, str) else ""
            try:
                goals[numbers[name]] = duration_s(name, told, LONGEST_S)
            except UsageError:
                problem = "must be a duration such as 15m, 24h, 7d"
                raise self._wrong(name, problem, "freshness") from None
        return goals

    def _wrong(self, key: str, problem: str, section: str = "") -> FileError:
        text = self._text
        head = re.search(rf"^\s*\[{section}\]", text, re.MULTILINE) if section else None
        start = head.end() if head else 0
        pattern = re.compile(rf"^[^=#\n]*?\b{re.escape(key)}\b", re.MULTILINE)
        found = pattern.search(text, start)
        line = text.count("\n", 0, found.end()) + 1 if found else 1
        return FileError(self._path, line, f"{key[:60]} {problem}", "Correct this line.")


def _is_line(text: str) -> bool:
    return text != "" and text.isprintable()


def _read(path: Path) -> str:
    try:
        return read_file(path).decode()
    except OSError as error:
        raise FileError(path, None, str(error.strerror), "Every job has a job.toml.") from error
    except UnicodeDecodeError as error:
        raise FileError(path, None, "not UTF-8", "Save the file as UTF-8.") from error


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # of a number, or of brackets, without end
        found = re.search(r"\(at line (\d+)", str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        reason = str(error).split(" (at ")[0]
        raise FileError(path, line, reason, "See https://toml.io for the notation.") from error
