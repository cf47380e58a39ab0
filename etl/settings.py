"""Where settings come from: flag before environment before job.toml before default."""

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from etl.errors import StateFolderError, UsageError
from etl.trust import exchangeable_in, is_open_to_all

LARGEST = 2**31 - 1
HOST_TIMEOUT_S = 15.0
"""The largest number that a limit can be."""

_YES, _NO = ("true", "yes", "1", "on"), ("false", "no", "0", "off")
_DURATION = re.compile(r"(\d{1,9})(ms|s|m|min|h|d)\Z", re.ASCII)
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_WORKERS_EACH, _MOST_WORKERS = 8, 32  # `--workers auto`: a processor, and in all
_WEEK_S = 7 * 24 * 3600.0  # PostgreSQL's timeouts end at 24 days

LONGEST_S = 3660 * 24 * 3600.0
"""The longest age that a freshness goal can be, seconds."""

MAKE_ROOM = "Make room, or set ETL_STATE_DIR to a folder on another disk."
"""What to do where the state folder cannot be written."""


def sql_folder() -> Path:
    """The SQL shipped with this package: in the wheel beside the code, else in the checkout."""
    packaged = Path(__file__).parent / "sql"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "sql"


def positive(name: str, text: str) -> int:
    """Read a whole number of at least 1.

    Args:
        name: The flag or variable it came from, for the message.
        text: What was given.

    Raises:
        UsageError: It is anything else.
    """
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 1 <= number <= LARGEST:
        raise UsageError(
            f"{name} must be a whole number of at least 1, not {text!r}",
            f"Give a number such as {name}{'=' if name.isupper() else ' '}500.",
        )
    return number


def is_number(text: object) -> bool:
    """Whether a text is a whole number that a limit can be, from 0 on."""
    return isinstance(text, str) and text.isascii() and text.isdecimal() and int(text) <= LARGEST


def duration_s(name: str, text: str, longest_s: float = _WEEK_S) -> float:
    """Read a duration such as 500ms, 90s, 15m (or 15min), 2h, 1d.

    Args:
        name: The flag, variable or key it came from, for the message.
        text: What was given.
        longest_s: The longest that is taken; a week unless told otherwise.

    Returns:
        Seconds.

    Raises:
        UsageError: It is anything else, or longer.
    """
    match = _DURATION.match(text)
    seconds = int(match[1]) * _UNIT_S[match[2]] if match else 0.0
    if not 0 < seconds <= longest_s:
        raise UsageError(
            f"{name} must be a duration such as 500ms, 90s, 15m or 2h, not {text!r}",
            "Write a whole number and its unit, a week at most.",
        )
    return seconds


def yes_or_no(name: str, environ: Mapping[str, str]) -> bool | None:
    """A variable that says yes or no; None where it says nothing.

    Raises:
        UsageError: It is anything else.
    """
    text = environ.get(name, "").lower()
    if text not in ("", *_YES, *_NO):
        raise UsageError(f"{name} must be true or false, not {text!r}", f"Write {name}=true.")
    return text in _YES if text else None


def queue_kind(flag: str | None, environ: Mapping[str, str]) -> str:
    """Where the order of a cycle is frozen: ``--queue``, else ``QUEUE``, else file.

    Raises:
        UsageError: There is no such queue.
    """
    kind = flag or environ.get("QUEUE") or "file"
    if kind not in ("file", "postgres"):
        raise UsageError(f"QUEUE must be file or postgres, not {kind!a}", "Write QUEUE=postgres.")
    return kind


def host_timeout_s(environ: Mapping[str, str]) -> float:
    """``HOST_TIMEOUT``: a host of which nothing is heard for so long loses its items, seconds.

    Raises:
        UsageError: It is no time.
    """
    text = environ.get("HOST_TIMEOUT", "")
    return duration_s("HOST_TIMEOUT", text) if text else HOST_TIMEOUT_S


def milliseconds(seconds: float) -> str:
    """A time as PostgreSQL's settings have it; never nought, which would be no limit."""
    return f"{max(1, round(seconds * 1000))}ms"


def _from_environment(environ: Mapping[str, str], name: str) -> int | None:
    text = environ.get(name, "")
    return positive(name, text) if text else None


def worker_count(environ: Mapping[str, str]) -> int:
    """Workers of a cycle: ``MAX_THREADS`` (the processors) less one, at least 1."""
    threads = _from_environment(environ, "MAX_THREADS") or processors()
    return max(1, threads - 1)


def workers(flag: str | None, environ: Mapping[str, str]) -> tuple[int, int | None]:
    """Workers of a cycle: ``--workers``, else ``worker_count``.

    Returns:
        How many; and where the flag is ``auto``, how many there may become, else None.
    """
    if flag == "auto":
        return worker_count(environ), min(_MOST_WORKERS, _WORKERS_EACH * processors())
    return (worker_count(environ) if flag is None else positive("--workers", flag)), None


def time_limit_s(
    flag: str | None, environ: Mapping[str, str], default: float | None
) -> float | None:
    """Seconds that a cycle may take: ``--time-limit``, else ``CYCLE_TIME_LIMIT``, else job.toml."""
    if flag is not None:
        return duration_s("--time-limit", flag)
    text = environ.get("CYCLE_TIME_LIMIT", "")
    return duration_s("CYCLE_TIME_LIMIT", text) if text else default


def reserved_percent(flag: int | None, environ: Mapping[str, str], default: int) -> int:
    """Share of a cycle for the longest dirty: ``--reserved-percent``, ``RESERVED_PERCENT``, job."""
    if flag is not None:
        return flag
    text = environ.get("RESERVED_PERCENT", "")
    if not text:
        return default
    if not text.isascii() or not text.isdecimal() or int(text) > 99:
        raise UsageError(
            f"RESERVED_PERCENT must be a whole number from 0 to 99, not {text!r}",
            "Give a number such as RESERVED_PERCENT=10; 0 reserves nothing.",
        )
    return int(text)


def processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class ItemLimit:
    """How many items a cycle takes, in normal times and when it has to catch up.

    Attributes:
        max_items: The limit in normal times.
        catch_up_threshold: Backlog above which the other limit holds; None: never.
        catch_up_max_items: The limit then.
    """

    max_items: int
    catch_up_threshold: int | None = None
    catch_up_max_items: int = 0

    @classmethod
    def read(
        cls, flag: int | None, environ: Mapping[str, str], unit: str, default: int
    ) -> "ItemLimit":
        """Read it from ``--max-<unit>s``, else the environment, else job.toml.

        A flag is a person's word for this run: then there is no catching up.
        """
        if flag is not None:
            return cls(flag)
        name = f"MAX_{unit.upper()}S_PER_CYCLE"
        max_items = _from_environment(environ, name) or default
        threshold = _from_environment(environ, "CATCHUP_THRESHOLD")
        if threshold is None:
            return cls(max_items)
        multiplier = _from_environment(environ, "CATCHUP_MULTIPLIER") or 5
        larger = _from_environment(environ, f"{name}_CATCHUP") or max_items * multiplier
        return cls(max_items, threshold, max(larger, max_items))

    def at(self, backlog: int) -> tuple[int, bool]:
        """The limit for a backlog of this many items, and whether it is the catch-up limit."""
        if self.catch_up_threshold is not None and backlog > self.catch_up_threshold:
            return self.catch_up_max_items, True
        return self.max_items, False


def job_folders(flag: Path | None, environ: Mapping[str, str]) -> list[Path]:
    """Folders that hold jobs: the shipped one, then ``--jobs-dir`` or ``ETL_JOBS_DIR``."""
    folders = [sql_folder() / "jobs"]
    named = flag or (Path(environ["ETL_JOBS_DIR"]) if environ.get("ETL_JOBS_DIR") else None)
    if named is not None:
        folders.append(_jobs_folder(named))
    return folders


def _jobs_folder(path: Path) -> Path:
    if not path.is_dir():
        problem = "is not a folder" if path.exists() else "does not exist"
        raise UsageError(f"the jobs folder {path} {problem}", "Correct --jobs-dir or ETL_JOBS_DIR.")
    # Whoever can put a file there runs SQL as whoever runs etl.
    place = path if is_open_to_all(path) else exchangeable_in(path.absolute())
    if place is not None:
        raise UsageError(
            f"the jobs folder {path} is not safe: everybody can write {place}",
            f"Mend it by: chmod o-w '{place}'",
        )
    return path


def state_path(environ: Mapping[str, str]) -> Path:
    """Where state is kept: ``ETL_STATE_DIR``, else ``etl`` in the XDG state folder."""
    named = environ.get("ETL_STATE_DIR")
    if named:
        return Path(named).absolute()
    xdg = environ.get("XDG_STATE_HOME")
    # The XDG specification: a relative path is no setting.
    is_set = xdg is not None and Path(xdg).is_absolute()
    return (Path(xdg) if xdg and is_set else _home() / ".local" / "state") / "etl"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError as error:  # a user id without a name, as containers have them
        raise StateFolderError(
            f"user id {os.geteuid()} has no home folder to keep state in",
            "Set ETL_STATE_DIR to a folder of your own.",
        ) from error


def private_folder(path: Path) -> Path:
    """Make a folder that only this user can enter, or check that it is one.

    Raises:
        StateFolderError: It is a symlink, belongs to somebody else, lets others write,
            or cannot be made or written.
    """
    try:
        for parent in reversed(path.parents):  # never writable by others, whatever the umask
            parent.mkdir(mode=0o755, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
        problem = _unsafe(path, path.lstat())
    except OSError as error:
        raise StateFolderError(
            f"cannot make the state folder {path}: {error.strerror}",
            "Set ETL_STATE_DIR to a folder that you can write.",
        ) from error
    if problem:
        raise StateFolderError(
            f"the state folder {path} {problem}",
            "Set ETL_STATE_DIR to a folder of your own, or mend this one.",
        )
    return path


def _unsafe(path: Path, found: os.stat_result) -> str:
    if stat.S_ISLNK(found.st_mode):
        return "is a symbolic link; its files could end up anywhere"
    if not stat.S_ISDIR(found.st_mode):
        return "is not a folder"
    if found.st_uid != os.geteuid():
        return f"belongs to user id {found.st_uid}, not to you ({os.geteuid()})"
    if found.st_mode & 0o022:
        return "can be written by others (chmod go-w mends that)"
    if not os.access(path, os.W_OK | os.X_OK):
        return "is not writable"
    place = exchangeable_in(path)
    return f"can be exchanged by others, who can write {place}" if place else ""
