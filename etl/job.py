"""A job: the folder of SQL that says how items are listed and processed.

Nothing here knows any job. A folder that is broken is one error that names file and line;
it is found when the job is used, so that the other jobs still run.
"""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from etl.errors import FileError, UsageError
from etl.settings import LARGEST, duration_s, sql_folder
from etl.sqlfile import Statement, single
from etl.trust import first_open_to_all, read_file

# The name of a worker's session, of which PostgreSQL keeps 63 bytes, has it and a number.
_NAME = re.compile(r"[a-z][a-z0-9_]{0,49}\Z")
_LEVEL = re.compile(r"[1-9][0-9]{0,8}\Z")
_ACKNOWLEDGE = ("statement",)
_TOP: dict[str, type] = {
    "title": str,
    "summary": str,
    "unit": str,
    "acknowledge": str,
    "defaults": dict,
    "levels": dict,
}
_DEFAULTS: dict[str, type] = {
    "max_items": int,
    "reserved_percent": int,
    "max_attempts": int,
    "keep_attempts_days": int,
    "statement_timeout": str,
    "slow_statement_timeout": str,
    "lock_timeout": str,
    "time_limit": str,
}


@dataclass(frozen=True)
class Job:
    """A job, as its job.toml and its SQL files say.

    Attributes:
        folder: Where it is.
        title: What a person calls it.
        summary: One sentence for ``--help``.
        unit: What one item is, in the singular: "user" makes ``--max-users``.
        max_items: Items a cycle takes unless told otherwise.
        reserved_percent: Share of a cycle for the items that have been dirty longest.
        max_attempts: Failures of an item before it is quarantined.
        keep_attempts_days: After that many days the ledger forgets the attempts of a cycle.
        statement_timeout_s: Of one item's statement, seconds.
        slow_statement_timeout_s: Of the second try of an item that ran into it, seconds, at
            the end of the cycle; there is none where it is not longer than the first.
        lock_timeout_s: Of any lock that the statement waits for, seconds.
        time_limit_s: What a cycle may take, seconds; None: no limit.
        level_names: Name of each priority level.
    """

    folder: Path
    title: str
    summary: str
    unit: str
    max_items: int
    reserved_percent: int
    max_attempts: int
    keep_attempts_days: int
    statement_timeout_s: float
    slow_statement_timeout_s: float
    lock_timeout_s: float
    time_limit_s: float | None
    level_names: dict[int, str]

    @property
    def name(self) -> str:
        """Its name in the database, such as ``datamart_users``."""
        return self.folder.name

    @property
    def command(self) -> str:
        """Its name on the command line, such as ``datamart-users``."""
        return command_name(self.folder)

    def level_name(self, level: int) -> str:
        """The name of a priority level; of an item asked for by name, "requested"."""
        return "requested" if level == 0 else self.level_names.get(level, f"level {level}")

    @cached_property
    def prioritize(self) -> Statement:
        """Lists the dirty items in order."""
        variables = {"as_of", "now", "max_items", "reserved_percent"}
        return self._statement("prioritize.sql", variables)

    @cached_property
    def backlog(self) -> Statement:
        """Counts the dirty items by level."""
        return self._statement("backlog.sql", {"as_of", "now"})

    @cached_property
    def process(self) -> Statement:
        """Processes one item. Its variables may also be columns of the prioritization."""
        return single(self.folder / "process.sql")

    @cached_property
    def verify(self) -> Statement:
        """Lists the wrong items."""
        path = self.folder / "verify.sql"
        if not path.exists():
            raise UsageError(
                f"{self.command} cannot be verified: it has no verify.sql",
                f"Write {path}: a query that returns item_key and problem of each wrong item.",
            )
        return self._statement("verify.sql", {"as_of"})

    def check(self) -> None:
        """Read the files that a cycle needs.

        Raises:
            FileError: One is missing or broken.
        """
        _ = (self.prioritize, self.backlog, self.process)

    def _statement(self, name: str, variables: set[str]) -> Statement:
        statement = single(self.folder / name)
        statement.bind(dict.fromkeys(variables))
        return statement


def command_name(folder: Path) -> str:
    """The command that runs the job in a folder."""
    return folder.name.replace("_", "-")


def job_paths(folders: Iterable[Path]) -> list[Path]:
    """The folders of all jobs, whole or broken, in the order of their names.

    Raises:
        FileError: Two have the same name.
    """
    found: dict[str, Path] = {}
    for parent in folders:
        for path in _folders(parent):
            if path.name.startswith((".", "_")):
                continue
            if path.name in found:
                raise FileError(
                    path,
                    None,
                    f"the job {path.name} exists in {found[path.name]} too",
                    "Rename it.",
                )
            found[path.name] = path
    return [found[name] for name in sorted(found)]


def _folders(parent: Path) -> list[Path]:
    try:
        return sorted(path for path in parent.iterdir() if path.is_dir())
    except OSError as error:
        raise FileError(parent, None, str(error.strerror), "Jobs are looked for here.") from error


def load(folder: Path) -> Job:
    """Read the job.toml of a folder.

    Raises:
        FileError: It is missing or broken; the message names its line.
    """
    if not _NAME.match(folder.name) or folder.name == "etl":
        raise FileError(
            folder, None, "is no name of a job", "Use at most 50 small letters, digits and _."
        )
    # The shipped ones lie beside the program: whoever can write there can change that too.
    open_to_all = None if folder.parent == sql_folder() / "jobs" else first_open_to_all(folder)
    if open_to_all is not None:
        hint = "Whoever can write it has SQL run as whoever runs etl: chmod -R o-w mends that."
        raise FileError(open_to_all, None, "can be written by everybody", hint)
    path = folder / "job.toml"
    text = _read(path)
    table = _parse(path, text)
    _check_keys(path, text, table, _TOP)
    defaults: dict[str, Any] = {
        "max_items": 1000,
        "reserved_percent": 10,
        "max_attempts": 5,
        "keep_attempts_days": 90,
        "statement_timeout": "60s",
        "slow_statement_timeout": "10min",
        "lock_timeout": "1s",
        **table.get("defaults", {}),
    }
    _check_keys(path, text, defaults, _DEFAULTS, "defaults")
    _check_values(path, text, table, defaults)

    def seconds(key: str) -> float:
        return _duration(path, text, key, defaults[key])

    return Job(
        folder=folder,
        title=table["title"],
        summary=table.get("summary", table["title"]),
        unit=table["unit"],
        level_names=_level_names(path, text, table.get("levels", {})),
        max_items=defaults["max_items"],
        reserved_percent=defaults["reserved_percent"],
        max_attempts=defaults["max_attempts"],
        keep_attempts_days=defaults["keep_attempts_days"],
        statement_timeout_s=seconds("statement_timeout"),
        slow_statement_timeout_s=seconds("slow_statement_timeout"),
        lock_timeout_s=seconds("lock_timeout"),
        time_limit_s=seconds("time_limit") if "time_limit" in defaults else None,
    )


def _check_values(path: Path, text: str, table: dict[str, Any], defaults: dict[str, Any]) -> None:
    missing = [key for key in ("title", "unit") if key not in table]
    if missing:
        hint = f'Add a line such as {missing[0]} = "user".'
        raise FileError(path, 1, f"{missing[0]} is missing", hint)
    for key in ("title", "summary"):
        if not _is_line(table.get(key, "?")):
            raise _wrong(path, text, key, "must be one line without control characters")
    if not _NAME.match(table["unit"]):
        raise _wrong(path, text, "unit", "must be one word in small letters")
    if table.get("acknowledge", "statement") not in _ACKNOWLEDGE:
        raise _wrong(path, text, "acknowledge", f"must be one of: {', '.join(_ACKNOWLEDGE)}")
    _check_defaults(path, text, defaults)


def _is_line(text: str) -> bool:
    return text != "" and text.isprintable()


def _check_defaults(path: Path, text: str, defaults: dict[str, Any]) -> None:
    for key, value in defaults.items():
        if key == "reserved_percent" and not 0 <= value <= 99:
            raise _wrong(path, text, key, "must be from 0 to 99", "defaults")
        if key in ("max_items", "max_attempts", "keep_attempts_days") and not 1 <= value <= LARGEST:
            problem = f"must be at least 1 and at most {LARGEST}"
            raise _wrong(path, text, key, problem, "defaults")


def _duration(path: Path, text: str, key: str, value: str) -> float:
    try:
        return duration_s(key, value)
    except UsageError:
        problem = "must be a duration such as 500ms, 60s, 5min"
        raise _wrong(path, text, key, problem, "defaults") from None


def _level_names(path: Path, text: str, table: dict[str, Any]) -> dict[int, str]:
    for key, name in table.items():
        if not _LEVEL.match(key) or not isinstance(name, str) or not _is_line(name):
            raise _wrong(path, text, key, 'must be a level and its name, such as 1 = "critical"')
    return {int(key): name for key, name in table.items()}


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


def _check_keys(
    path: Path, text: str, table: dict[str, Any], known: dict[str, type], section: str = ""
) -> None:
    for key, value in table.items():
        if key not in known:
            raise _wrong(path, text, key, f"is unknown; known are: {', '.join(known)}", section)
        if type(value) is not known[key]:
            kind = {str: "a text", int: "a whole number", dict: "a table"}[known[key]]
            raise _wrong(path, text, key, f"must be {kind}", section)


def _wrong(path: Path, text: str, key: str, problem: str, section: str = "") -> FileError:
    head = re.search(rf"^\s*\[{section}\]", text, re.MULTILINE) if section else None
    start = head.end() if head else 0
    pattern = re.compile(rf"^[^=#\n]*?\b{re.escape(key)}\b", re.MULTILINE)
    found = pattern.search(text, start)
    line = text.count("\n", 0, found.end()) + 1 if found else 1
    return FileError(path, line, f"{key[:60]} {problem}", "Correct this line.")
