"""Reads a job.toml; what is wrong in it is one error that names file and line."""

import keyword
import re
from pathlib import Path
from typing import Any, cast

from etl.errors import FileError, UsageError
from etl.job.shape import Batches, HealthLimits, JobOption, Stream
from etl.job.toml import TomlFile, is_line
from etl.settings import LARGEST, LONGEST_S, duration_s

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
    "stream": dict,
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
_STREAM: dict[str, Any] = {
    "queue": "",
    "type": "quorum",
    "prefetch": 0,
    "attempts": 5,
    "back_off": "5s",
    "longest_back_off": "10min",
    "keep_ids_days": 30,
}
_QUEUE = re.compile(r"(?!amq\.)[A-Za-z0-9_.:-]{1,200}\Z")
_QUEUE_TYPES = ("quorum", "classic")
_OPTION: dict[str, type] = {"help": str, "choices": list}
OPTIONS = frozenset(
    [
        "again",
        "detach",
        "dsn",
        "from",
        "help",
        "json",
        "only",
        "queue",
        "to",
        "verify",
        "wait",
        "workers",
    ]
)
"""Options of one word that a job's command has already; so no unit can be called that."""

# The others, and the variables that the engine binds.
_TAKEN = OPTIONS.union(
    [
        "as_of",
        "now",
        "max_items",
        "reserved_percent",
        "time_limit",
        "dry_run",
        "log_format",
        "round",
        "from_key",
        "to_key",
        "most",
        "batch_size",
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


def read(path: Path) -> dict[str, Any]:
    """The attributes of a Job, but its folder.

    Raises:
        FileError: The file is missing or broken.
    """
    return _JobFile(path).attributes()


class _JobFile(TomlFile):
    def attributes(self) -> dict[str, Any]:
        table = self.table
        self.check_keys(table, _TOP)
        defaults = self.section("defaults", _DEFAULTS)
        if "batches" in table and "max_items" not in table.get("defaults", {}):
            defaults["max_items"] = LARGEST
        self._check_top()
        self._check_limits(defaults)
        levels = self._levels(table.get("levels", {}))
        limit = defaults["time_limit"]
        if "stream" in table:  # a message that is too slow waits for its next attempt
            defaults["slow_statement_timeout"] = defaults["statement_timeout"]
        return {
            "title": table["title"],
            "summary": table.get("summary", table["title"]),
            "unit": table["unit"],
            "level_names": levels,
            "freshness_goals": self._goals(table.get("freshness", {}), levels),
            "health_limits": self._health(),
            "batches": self._batches(),
            "stream": self._stream(),
            "options": self._options(),
            "shows_levels": table.get("progress", "cycle") == "levels",
            **{
                key: defaults[key]
                for key in ("max_items", "reserved_percent", "max_attempts", "keep_attempts_days")
            },
            **{
                f"{key}_s": self.duration(key, defaults[key])
                for key in ("statement_timeout", "slow_statement_timeout", "lock_timeout")
            },
            "time_limit_s": self.duration("time_limit", limit) if limit else None,
        }

    def _check_top(self) -> None:
        table = self.table
        missing = [key for key in ("title", "unit") if key not in table]
        if missing:
            hint = f'Add a line such as {missing[0]} = "user".'
            raise FileError(self.path, 1, f"{missing[0]} is missing", hint)
        for key in ("title", "summary"):
            if not is_line(table.get(key, "?")):
                raise self.wrong(key, "must be one line without control characters")
        if not NAME.match(table["unit"]) or table["unit"] in OPTIONS:
            others = ", ".join(sorted(OPTIONS))
            raise self.wrong("unit", f"must be one word in small letters, and not {others}")
        for key, known in (("acknowledge", _ACKNOWLEDGE), ("progress", _PROGRESS)):
            if table.get(key, known[0]) not in known:
                raise self.wrong(key, f"must be one of: {', '.join(known)}")
        # What has no mark of its own is acknowledged as a range of keys, or as a message.
        kinds = [key for key in ("batches", "stream") if key in table]
        if len(kinds) != (table.get("acknowledge") == "ledger"):
            hint = 'acknowledge = "ledger" and either [batches] or [stream] belong together.'
            raise FileError(self.path, 1, "one of the two is missing, or there are both", hint)

    def _check_limits(self, defaults: dict[str, Any]) -> None:
        for key in ("max_items", "max_attempts", "keep_attempts_days"):
            if not 1 <= defaults[key] <= LARGEST:
                problem = f"must be at least 1 and at most {LARGEST}"
                raise self.wrong(key, problem, "defaults")
        if not 0 <= defaults["reserved_percent"] <= 99:
            raise self.wrong("reserved_percent", "must be from 0 to 99", "defaults")
        if "time_limit" in self.table.get("defaults", {}) and not defaults["time_limit"]:
            self.duration("time_limit", "")

    def _health(self) -> HealthLimits:
        limits = self.section("health", _HEALTH)
        for key in ("waiting_sessions", "wal_mb_per_s", "load_per_processor"):
            if not 0 <= limits[key] <= LARGEST:
                raise self.wrong(key, "must be a number from 0 on; 0: no limit", "health")
        return HealthLimits(
            self.duration("replication_lag", limits["replication_lag"], "health", may_be_0=True),
            *(limits[key] for key in list(_HEALTH)[1:]),
        )

    def _batches(self) -> Batches | None:
        if "batches" not in self.table:
            return None
        given = self.section("batches", _BATCHES)
        for key in ("start", "most"):
            if not 1 <= given[key] <= LARGEST:
                raise self.wrong(key, f"must be at least 1 and at most {LARGEST}", "batches")
        if not 1 <= given["growth"] <= 100:
            raise self.wrong("growth", "must be a number from 1 to 100", "batches")
        target_s = self.duration("target", given["target"], "batches")
        start = min(given["start"], given["most"])
        return Batches(start, given["most"], target_s, float(given["growth"]))

    def _stream(self) -> Stream | None:
        if "stream" not in self.table:
            return None
        given = self.section("stream", _STREAM)
        if not _QUEUE.match(given["queue"]):
            raise self.wrong("queue", "must be a name of letters, digits, _ . : and -", "stream")
        if given["type"] not in _QUEUE_TYPES:
            raise self.wrong("type", f"must be one of: {', '.join(_QUEUE_TYPES)}", "stream")
        for key, least, most in (
            ("prefetch", 0, 65_535),
            ("attempts", 1, 1000),
            ("keep_ids_days", 1, LARGEST),
        ):
            if not least <= given[key] <= most:
                raise self.wrong(key, f"must be at least {least} and at most {most}", "stream")
        for key in ("back_off", "longest_back_off"):
            given[f"{key}_s"] = self.duration(key, given.pop(key), "stream")
        return Stream(**given)

    def _options(self) -> tuple[JobOption, ...]:
        return tuple(
            self._option(name, told) for name, told in self.table.get("options", {}).items()
        )

    def _option(self, name: str, told: object) -> JobOption:
        unit = self.table["unit"]
        is_taken = name in _TAKEN or name in (unit, f"max_{unit}s") or keyword.iskeyword(name)
        if not NAME.match(name) or is_taken:
            raise self.wrong(name, "cannot be the name of an option", f"options.{name}")
        if not isinstance(told, dict):
            raise self.wrong(name, "must be a table", "options")
        table = cast(dict[str, Any], told)
        section = f"options.{name}"
        default = table.get("default", "")
        self.check_keys({k: v for k, v in table.items() if k != "default"}, _OPTION, section)
        choices = table.get("choices", [])
        is_flag = default is False
        if not is_flag and not isinstance(default, str):
            raise self.wrong("default", "must be a text, or false for a flag", section)
        if not is_line(table.get("help", "")):
            raise self.wrong("help", "must say in one line what it is", section)
        if any(not isinstance(choice, str) for choice in choices) or (choices and is_flag):
            raise self.wrong("choices", "must be texts, and none for a flag", section)
        return JobOption(name, table["help"], tuple(choices), default)

    def _levels(self, table: dict[str, Any]) -> dict[int, str]:
        for key, name in table.items():
            if not _LEVEL.match(key) or not isinstance(name, str) or not is_line(name):
                problem = 'must be a level and its name, such as 1 = "critical"'
                raise self.wrong(key, problem)
        return {int(key): name for key, name in table.items()}

    def _goals(self, table: dict[str, Any], names: dict[int, str]) -> dict[int, float]:
        numbers = {name: number for number, name in names.items()}
        goals: dict[int, float] = {}
        for name, goal in table.items():
            if name not in numbers:
                problem = f"is no level; levels are: {', '.join(numbers)}"
                raise self.wrong(name, problem, "freshness")
            told = goal if isinstance(goal, str) else ""
            try:
                goals[numbers[name]] = duration_s(name, told, LONGEST_S)
            except UsageError:
                problem = "must be a duration such as 15m, 24h, 7d"
                raise self.wrong(name, problem, "freshness") from None
        return goals
