"""Reads a job.toml; what is wrong in it is one error that names file and line."""

import re
import tomllib
from pathlib import Path
from typing import Any, cast

from etl.errors import FileError, UsageError
from etl.jobshape import Batches, HealthLimits, JobOption
from etl.settings import LARGEST, LONGEST_S, duration_s
from etl.trust import read_file

# The name of a worker's session, of which PostgreSQL keeps 63 bytes, has it and a number.
NAME = re.compile(r"[a-z][a-z0-9_]{0,49}\Z")
"""What a job and its unit can be called."""

_LEVEL = re.compile(r"[1-9][0-9]{0,8}\Z")
_ACKNOWLEDGE = ("statement", "ledger")
_PROGRESS = ("cycle", "levels")
_TOP: dict[str, type] = {
    "title": str,
    "summary": str,
    "unit": str,
    "acknowledge": str,
    "defaults": dict,
    "levels": dict,
    "freshness": dict,
    "health": dict,
    "progress": str,
    "batches": dict,
    "options": dict,
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
_BATCHES: dict[str, Any] = {"start": 1000, "most": 50_000, "target": "500ms", "growth": 2.0}
_OPTION: dict[str, type] = {"help": str, "choices": list}
# What every job's command has already, and the variables that the engine binds.
_TAKEN = frozenset(
    [
        "as_of",
        "now",
        "max_items",
        "reserved_percent",
        "workers",
        "time_limit",
        "dry_run",
        "log_format",
        "json",
        "dsn",
        "help",
        "round",
        "from_key",
        "to_key",
        "most",
        "from",
        "to",
        "only",
        "again",
        "batch_size",
        "verify",
        "wait",
        "detach",
        "item_key",
        "level",
        "weight",
        "kind",
        "first_key",
        "last_key",
        "size",
        "sample",
        "seed",
        "without",
        "cycle_id",
        "jobs_dir",
    ]
)
_KINDS: dict[type, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "a table",
    list: "a list",
}


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
            "batches": self._batches(),
            "options": self._options(),
            "shows_levels": table.get("progress", "cycle") == "levels",
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
        for key, known in (("acknowledge", _ACKNOWLEDGE), ("progress", _PROGRESS)):
            if table.get(key, known[0]) not in known:
                raise self._wrong(key, f"must be one of: {', '.join(known)}")
        # What has no mark of its own is acknowledged as a range of keys.
        if (table.get("acknowledge") == "ledger") != ("batches" in table):
            hint = 'acknowledge = "ledger" and [batches] belong together.'
            raise FileError(self._path, 1, "one of the two is missing", hint)

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

    def _batches(self) -> Batches | None:
        if "batches" not in self._table:
            return None
        given = self._section("batches", _BATCHES)
        for key in ("start", "most"):
            if not 1 <= given[key] <= LARGEST:
                raise self._wrong(key, f"must be at least 1 and at most {LARGEST}", "batches")
        if not 1 <= given["growth"] <= 100:
            raise self._wrong("growth", "must be a number from 1 to 100", "batches")
        target_s = self._duration("target", given["target"], "batches")
        start = min(given["start"], given["most"])
        return Batches(start, given["most"], target_s, float(given["growth"]))

    def _options(self) -> tuple[JobOption, ...]:
        return tuple(
            self._option(name, told) for name, told in self._table.get("options", {}).items()
        )

    def _option(self, name: str, told: object) -> JobOption:
        if not NAME.match(name) or name in _TAKEN or name in (self._table["unit"],):
            raise self._wrong(name, "cannot be the name of an option", f"options.{name}")
        if not isinstance(told, dict):
            raise self._wrong(name, "must be a table", "options")
        table = cast(dict[str, Any], told)
        section = f"options.{name}"
        default = table.get("default", "")
        self._check_keys({k: v for k, v in table.items() if k != "default"}, _OPTION, section)
        choices = table.get("choices", [])
        is_flag = default is False
        if not is_flag and not isinstance(default, str):
            raise self._wrong("default", "must be a text, or false for a flag", section)
        if not _is_line(table.get("help", "")):
            raise self._wrong("help", "must say in one line what it is", section)
        if any(not isinstance(choice, str) for choice in choices) or (choices and is_flag):
            raise self._wrong("choices", "must be texts, and none for a flag", section)
        return JobOption(name, table["help"], tuple(choices), default)

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
