"""Cycles as the ledger tells them, running ones too: what every output says of one."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from etl import db
from etl.errors import UsageError
from etl.job import Job
from etl.model import Outcome
from etl.sqlfile import shipped


@dataclass(frozen=True, slots=True)
class LevelRow:
    """What a cycle found, did and left in one priority level.

    Attributes:
        level: 1 first; 0: items asked for by name.
        remaining: Found and not attempted.
        oldest_dirty_at: Since when its longest dirty item was so, as the cycle began; None: no
            item, or unknown.
        oldest_s: How long that was then, seconds.
        left: Its backlog when the cycle had finished; None: unknown.
        oldest_left_at: As ``oldest_dirty_at``, of that.
        oldest_left_s: How long that was when it had finished, seconds.
        goal_s: The age that no item of it should reach, seconds; None: the job says none.
    """

    level: int
    name: str
    found: int
    done: int
    failed: int
    busy: int
    orphaned: int
    remaining: int
    oldest_dirty_at: datetime | None
    oldest_s: float | None
    left: int | None
    oldest_left_at: datetime | None
    oldest_left_s: float | None
    goal_s: float | None

    @property
    def age_left_s(self) -> float | None:
        """How old its longest dirty item was in the end; 0: nothing was; None: unknown."""
        return 0.0 if self.left == 0 else self.oldest_left_s

    @property
    def age_s(self) -> float | None:
        """The latest known age of its longest dirty item; 0: nothing is dirty; None: unknown."""
        return self.oldest_s if self.age_left_s is None else self.age_left_s

    @property
    def is_late(self) -> bool:
        """Whether that age misses the goal."""
        return self.goal_s is not None and self.age_s is not None and self.age_s > self.goal_s


@dataclass(frozen=True, slots=True)
class WaitRow:
    """A time in which a cycle claimed nothing.

    Attributes:
        from_s: When it began, seconds since the cycle did.
    """

    reason: str
    from_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class CycleRow:
    """One cycle; durations in seconds.

    Attributes:
        finished_at: None: it runs, or was cut off and nobody has closed its record yet.
        duration_s: So far, where it has not finished.
        time_limit_s, predicted_s, predicted_p95_s: None: there was none.
        stop_reason: None: as for finished_at.
        waits_for: Why it claims nothing just now; None: it does, or is over.
        items_per_s: Done items a second, over the whole cycle.
        waited_s: How long it claimed nothing.
        oldest_left_s: How long the oldest item that it left had been dirty at its end: the
            freshness that it reached. None: it left none, or unknown.
    """

    cycle_id: int
    started_at: datetime
    finished_at: datetime | None
    duration_s: float
    host: str
    pid: int
    etl_version: str
    as_of: date
    max_items: int
    workers: int
    time_limit_s: float | None
    predicted_s: float | None
    predicted_p95_s: float | None
    stop_reason: str | None
    waits_for: str | None
    found: int
    done: int
    failed: int
    busy: int
    orphaned: int
    remaining: int
    items_per_s: float
    waited_s: float
    oldest_left_s: float | None
    levels: list[LevelRow]
    waits: list[WaitRow]

    @property
    def claimed(self) -> int:
        """Attempted, with any outcome."""
        return self.done + self.failed + self.busy + self.orphaned

    @property
    def is_by_name(self) -> bool:
        """Whether an item was asked for by name: then it tells nothing of the backlog."""
        return any(level.level == 0 for level in self.levels)

    @property
    def queued(self) -> int:
        """So many items it takes at most."""
        return min(self.found, self.max_items)


def latest(
    connection: db.Connection, job: Job, cycles: int, cycle_id: int | None = None
) -> list[CycleRow]:
    """The latest cycles of a job, or those up to one of them; the last first.

    Args:
        connection: Where.
        job: The job.
        cycles: How many at most.
        cycle_id: The one that comes first; None: the latest.

    Raises:
        UsageError: The job has none with this id.
    """
    statement = shipped("ledger/cycles")
    rows = db.run(connection, statement, job=job.name, cycles=cycles, cycle_id=cycle_id)
    names = [column.name for column in rows.description or ()]
    found = [_cycle(job, dict(zip(names, row, strict=True))) for row in rows]
    if cycle_id is not None and (not found or found[0].cycle_id != cycle_id):
        raise UsageError(
            f"{job.command} has no cycle {cycle_id}", f"'etl history {job.command}' lists them."
        )
    return found


def open_one(connection: db.Connection, job: Job) -> tuple[CycleRow | None, CycleRow | None]:
    """The cycle whose record is open: where somebody holds its lock, and where nobody does.

    Ask it before what takes long: meanwhile the cycle may end.

    Returns:
        The running cycle, and the one that was cut off; of the two there is one at most.
    """
    holder = db.run(connection, shipped("lock/cycle_lock_holder"), job=job.command).fetchone()
    last = next(iter(latest(connection, job, 1)), None)
    if last is None or last.finished_at is not None:
        return None, None
    return (last, None) if holder is not None else (None, last)


def _cycle(job: Job, row: dict[str, Any]) -> CycleRow:
    began, took_s = row["started_at"], row["duration_s"]
    ended = began + timedelta(seconds=took_s)
    waits = [
        WaitRow(wait["reason"], max(0.0, (_moment(wait["since"]) - began).total_seconds()),
                wait["seconds"])
        for wait in row.pop("waits")
    ]  # fmt: skip
    levels = [_level(job, level, began, ended) for level in row.pop("levels")]
    ages = [level.oldest_left_s for level in levels if level.oldest_left_s is not None]
    return CycleRow(
        **row,
        items_per_s=round(row["done"] / took_s, 3) if took_s else 0.0,
        waited_s=sum(wait.seconds for wait in waits),
        oldest_left_s=max(ages, default=None),
        levels=levels,
        waits=waits,
    )


def _level(job: Job, told: dict[str, Any], began: datetime, ended: datetime) -> LevelRow:
    """A level out of JSON; a record of an earlier version has no ages."""
    tried = {outcome.value: told[outcome.value] for outcome in Outcome}
    oldest_dirty_at, oldest_left_at = (
        _moment(told[name]) if told.get(name) else None
        for name in ("oldest_dirty_at", "oldest_left_at")
    )
    return LevelRow(
        level=told["level"],
        name=told["name"],
        found=told["found"],
        **tried,
        remaining=told["found"] - sum(tried.values()),
        oldest_dirty_at=oldest_dirty_at,
        oldest_s=_age_s(oldest_dirty_at, began),
        left=told.get("left"),
        oldest_left_at=oldest_left_at,
        oldest_left_s=_age_s(oldest_left_at, ended),
        goal_s=job.freshness_goals.get(told["level"]),
    )


def _moment(text: str) -> datetime:
    """A time out of JSON; without an offset it is UTC."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _age_s(since: datetime | None, now: datetime) -> float | None:
    """How long ago something was, seconds; what lies ahead is 0."""
    return None if since is None else max(0.0, (now - since).total_seconds())
