"""What a job.toml may say, each key with its rule and its default in one place."""

import keyword
import re
from pathlib import Path
from typing import Any

from etl.errors import FileError
from etl.job import key
from etl.job.key import Key, choice, duration, flag, line, named, number, table
from etl.job.shape import Batches, HealthLimits, JobOption, Stream
from etl.job.toml import TomlFile
from etl.settings import LARGEST

# The name of a worker's session, of which PostgreSQL keeps 63 bytes, has it and a number.
NAME = re.compile(r"[a-z][a-z0-9_]{0,49}\Z")
"""What a job and its unit can be called."""

_LONGEST_GOAL_S = 3660 * 24 * 3600.0
_LEVEL = re.compile(r"[1-9][0-9]{0,8}\Z")
_QUEUE = re.compile(r"(?!amq\.)[A-Za-z0-9_.:-]{1,200}\Z")
_ONE_WORD = "again detach dsn from help json only queue to verify wait workers"
OPTIONS = frozenset(_ONE_WORD.split())
"""Options of one word that a job's command has already; so no unit can be called that."""


def _is_unit(name: str) -> bool:
    return bool(NAME.match(name)) and name not in OPTIONS


_TOP = {
    "title": line(),
    "summary": line(default=None),
    "unit": named(_is_unit, f"one word in small letters, and not {', '.join(sorted(OPTIONS))}"),
    "acknowledge": choice("statement", "ledger"),
    "progress": choice("cycle", "levels"),
    **dict.fromkeys(
        ("defaults", "levels", "freshness", "health", "batches", "stream", "options"), table()
    ),
}
_DEFAULTS = {
    "max_items": number(1000),
    "reserved_percent": number(10, 0, 99),
    "max_attempts": number(5),
    "keep_attempts_days": number(90),
    "statement_timeout": duration(60.0),
    "slow_statement_timeout": duration(600.0),
    "lock_timeout": duration(1.0),
    "time_limit": duration(None),
}
_HEALTH = {  # 0: no limit
    "replication_lag": duration(60.0, may_be_0=True),
    "waiting_sessions": number(20, 0),
    "wraparound_vacuum": flag(default=True),
    "wal_mb_per_s": number(0.0, 0),
    "load_per_processor": number(0.0, 0),
}
_BATCHES = {
    "start": number(1000),
    "most": number(50_000),
    "target": duration(0.5),
    "growth": number(2.0, 1, 100),
}
_STREAM = {
    "queue": named(_QUEUE.match, "a name of letters, digits, _ . : and -"),
    "type": choice("quorum", "classic"),
    "prefetch": number(0, 0, 65_535),
    "attempts": number(5, 1, 1000),
    "back_off": duration(5.0),
    "longest_back_off": duration(600.0),
    "keep_ids_days": number(30, 1, 36_500),
}
_OPTION = {
    "help": line(),
    "choices": Key("a list of texts", key.is_texts, ()),
    "default": Key("a text, or false for a flag", lambda v: v is False or isinstance(v, str), ""),
}
# The others, and the variables that the engine binds.
_OTHERS = """
as_of now max_items reserved_percent time_limit dry_run log_format jobs_dir cycle_id
item_key level weight round from_key to_key most batch_size kind first_key last_key size
sample seed without
"""
_TAKEN = OPTIONS.union(_OTHERS.split())


def read(path: Path) -> dict[str, Any]:
    """The attributes of a Job, but its folder.

    Raises:
        FileError: The file is missing or broken.
    """
    file = TomlFile(path)
    top = file.section("", _TOP)
    limits = _limits(file)
    levels = _levels(file)
    _check_kind(file, top["acknowledge"])
    return {
        "title": top["title"],
        "summary": top["summary"] or top["title"],
        "unit": top["unit"],
        "level_names": levels,
        "freshness_goals": _goals(file, levels),
        "health_limits": HealthLimits(**file.section("health", _HEALTH)),
        "batches": _batches(file),
        "stream": Stream(**file.section("stream", _STREAM)) if "stream" in file.table else None,
        "options": tuple(
            _option(file, name, top["unit"]) for name in file.table.get("options", {})
        ),
        "shows_levels": top["progress"] == "levels",
        **limits,
    }


def _check_kind(file: TomlFile, acknowledge: str) -> None:
    """What has no mark of its own is acknowledged as a range of keys, or as a message."""
    kinds = [section for section in ("batches", "stream") if section in file.table]
    if len(kinds) != (acknowledge == "ledger"):
        hint = 'acknowledge = "ledger" and either [batches] or [stream] belong together.'
        raise FileError(file.path, 1, "one of the two is missing, or there are both", hint)


def _limits(file: TomlFile) -> dict[str, Any]:
    is_unlimited = {"max_items": number(LARGEST)} if "batches" in file.table else {}
    limits = file.section("defaults", {**_DEFAULTS, **is_unlimited})
    if "stream" in file.table:  # a message that is too slow waits for its next attempt
        limits["slow_statement_timeout_s"] = limits["statement_timeout_s"]
    return limits


def _batches(file: TomlFile) -> Batches | None:
    if "batches" not in file.table:
        return None
    given = file.section("batches", _BATCHES)
    return Batches(**{**given, "start": min(given["start"], given["most"])})


def _option(file: TomlFile, name: str, unit: str) -> JobOption:
    is_taken = name in _TAKEN or name in (unit, f"max_{unit}s") or keyword.iskeyword(name)
    section = f"options.{name}"
    if not NAME.match(name) or is_taken:
        raise file.wrong(name, "cannot be the name of an option", section)
    file.checked(name, file.table["options"][name], table(), "options")
    given = file.section(section, _OPTION)
    if given["choices"] and given["default"] is False:
        raise file.wrong("choices", "cannot be those of a flag", section)
    return JobOption(name, given["help"], tuple(given["choices"]), given["default"])


def _levels(file: TomlFile) -> dict[int, str]:
    levels = file.table.get("levels", {})
    for level, name in levels.items():
        if not _LEVEL.match(level) or not key.is_line(name):
            raise file.wrong(level, 'must be a level and its name, such as 1 = "critical"')
    return {int(level): name for level, name in levels.items()}


def _goals(file: TomlFile, levels: dict[int, str]) -> dict[int, float]:
    keys = {name: duration(None, _LONGEST_GOAL_S) for name in levels.values()}
    goals = file.section("freshness", keys)
    found = {level: goals[f"{name}_s"] for level, name in levels.items()}
    return {level: goal for level, goal in found.items() if goal is not None}
