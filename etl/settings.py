"""Where settings come from: flag before environment before job.toml before default."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from etl.errors import UsageError

LARGEST = 2**31 - 1
"""The largest number that a limit can be."""

MOST_WORKERS = 999
"""Of one host: a worker's number tells its crew in the thousands."""

_YES, _NO = ("true", "yes", "1", "on"), ("false", "no", "0", "off")
_DURATION = re.compile(r"(\d{1,9})(ms|s|m|min|h|d)\Z", re.ASCII)
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_WORKERS_EACH, _MOST_BY_ITSELF = 8, 32  # `--workers auto`: a processor, and in all
_HOST_TIMEOUT_S = 15.0
_SHORTEST_HOST_TIMEOUT_S = 1.0
WEEK_S = 7 * 24 * 3600.0
"""The longest time that a limit can be, seconds: PostgreSQL's timeouts end at 24 days."""


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


def seconds_in(text: str, longest_s: float = WEEK_S) -> float | None:
    """A duration such as 500ms, 90s, 15m (or 15min), 2h, 1d; None: it is none, or longer."""
    match = _DURATION.match(text)
    seconds = int(match[1]) * _UNIT_S[match[2]] if match else 0.0
    return seconds if 0 < seconds <= longest_s else None


def duration_s(name: str, text: str, longest_s: float = WEEK_S) -> float:
    """Read a duration.

    Args:
        name: The flag or variable it came from, for the message.
        text: What was given.
        longest_s: The longest that is taken.

    Returns:
        Seconds.

    Raises:
        UsageError: It is anything else, or longer.
    """
    seconds = seconds_in(text, longest_s)
    if seconds is None:
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
        UsageError: It is no time, or so short that a busy host would count as gone.
    """
    text = environ.get("HOST_TIMEOUT", "")
    seconds = duration_s("HOST_TIMEOUT", text) if text else _HOST_TIMEOUT_S
    if seconds < _SHORTEST_HOST_TIMEOUT_S:
        raise UsageError(
            f"HOST_TIMEOUT must be at least 1s, not {text!r}",
            "A host that is only busy would lose its items.",
        )
    return seconds


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

    Raises:
        UsageError: There are more than ``MOST_WORKERS``.
    """
    if flag == "auto":
        return worker_count(environ), min(_MOST_BY_ITSELF, _WORKERS_EACH * processors())
    count = worker_count(environ) if flag is None else positive("--workers", flag)
    if count > MOST_WORKERS:
        problem = f"{count:,} workers are too many for one host"
        raise UsageError(problem, f"Give {MOST_WORKERS} at most.")
    return count, None


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


@dataclass(frozen=True, slots=True)
class CycleOptions:
    """What a user may decide about a cycle.

    Attributes:
        as_of: The day that counts as today, UTC.
        limit: How many items at most.
        workers: How many worker processes at most; to begin with, where more may come.
        most_workers: Find out by trying how many to have, up to this; None: do not.
        reserved_percent: Share of the items for those that have been dirty longest.
        time_limit_s: Claim nothing after that many seconds; None: no limit.
        only_key: Just this item, dirty or not; None: what the prioritization lists.
        is_dry_run: Count and list, write nothing at all.
        begins_again: Leave what the last cycle has left of its round; begin with all keys.
        batch_size: Keys of every batch; None: as the job says.
        queue: Where the cycle's order is frozen: file (on this host) or postgres.
    """

    as_of: date
    limit: ItemLimit
    workers: int
    reserved_percent: int
    most_workers: int | None = None
    time_limit_s: float | None = None
    only_key: str | None = None
    is_dry_run: bool = False
    begins_again: bool = False
    batch_size: int | None = None
    queue: str = "file"
