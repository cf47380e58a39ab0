"""The words of this project as types: items, outcomes, orders, cycles."""

import json
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Literal, NamedTuple

WEIGHT = "weight"
"""The column of a prioritization that says how much work an item is, if it has one."""


INCOMPLETE = "incomplete"
"""The stop reason of a cycle whose workers somebody ended."""


class Outcome(StrEnum):
    """What an attempt at an item came to."""

    DONE = "done"
    FAILED = "failed"
    BUSY = "busy"
    ORPHANED = "orphaned"


# Named tuples: every item has some of these, and a frozen dataclass takes 1.1 us to make, not 0.4.
class Claim(NamedTuple):
    """A worker's exclusive hold on an item.

    Attributes:
        position: Place of the item in its queue, the first is 1.
        item_key: The item's key, as text.
        level: Its priority level, 1 first; 0 where it was asked for by name.
        values: All columns of the item's row of the prioritization query, as text.
        is_slow: It ran into the statement timeout in this cycle; now it may take longer.
        rest: What remains of the item, where this is only a part of it: see keyrange.py.
        body: Of a message, as it came; None: it is none.
    """

    position: int
    item_key: str
    level: int
    values: dict[str, str | None]
    is_slow: bool = False
    rest: "Claim | None" = None
    body: bytes | None = None


class Result(NamedTuple):
    """The outcome of one attempt, with its reason where it is not done.

    Attributes:
        outcome: What the attempt came to.
        duration_ms: From claim to commit, milliseconds.
        sqlstate: PostgreSQL's five-character code of the failure, or empty.
        message: PostgreSQL's message, or empty.
    """

    outcome: Outcome
    duration_ms: float = 0.0
    sqlstate: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Orders:
    """What a supervisor tells a worker when it starts.

    Attributes:
        number: Which worker it is, the first is 1.
        dsn: Connection string; may hold a password.
        label: The database's name in messages.
        job_folder: The job.
        queue_folder: The queue.
        parameters: Values of the process statement that are the same for every item.
        deadline: Claim nothing from then on; of ``time.monotonic()``, which all processes
            of a machine share. None: no limit.
        batch_size: Keys of every batch; None: as the job says.
        names: The columns of the prioritization, where the queue is in the database; else empty.
        channel: Descriptor of the socket that messages come through; None: claim from a folder.
        instance: Which service this is; empty: a cycle.
    """

    number: int
    dsn: str
    label: str
    job_folder: str
    queue_folder: str
    parameters: dict[str, Any]
    deadline: float | None = None
    batch_size: int | None = None
    names: list[str] = field(default_factory=list[str])
    channel: int | None = None
    instance: str = ""

    def to_json(self) -> str:
        """As the one line that a worker reads."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Prediction:
    """How long something is expected to take.

    Attributes:
        mean_s: On the average, seconds.
        p95_s: It takes longer once in twenty times, seconds.
    """

    mean_s: float
    p95_s: float


@dataclass(slots=True)
class Wait:
    """A time in which a cycle claimed nothing.

    Attributes:
        reason: Why.
        since: Since when.
        seconds: For how long, or so far.
    """

    reason: str
    since: datetime
    seconds: float = 0.0


class Remark(NamedTuple):
    """What a job's own query tells of a cycle.

    Attributes:
        what: Of what.
        value: How much, or what became of it.
        sample: One that a cycle would change, and how; None: the query tells of a finished one.
    """

    what: str
    value: str
    sample: str | None = None


@dataclass(slots=True)
class LevelCount:
    """What a cycle found and did in one priority level.

    Attributes:
        oldest_dirty_at: Since when its longest dirty item is, at the beginning; None where
            nothing was dirty, or the job does not tell.
        left: The backlog of the level when the cycle had finished; None before, or unknown.
        oldest_left_at: As ``oldest_dirty_at``, then.
    """

    level: int
    name: str
    found: int = 0
    done: int = 0
    failed: int = 0
    busy: int = 0
    orphaned: int = 0
    oldest_dirty_at: datetime | None = None
    left: int | None = None
    oldest_left_at: datetime | None = None

    @property
    def claimed(self) -> int:
        """Attempted, with any outcome."""
        return self.done + self.failed + self.busy + self.orphaned

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the dates as text."""
        dates = {
            name: None if (moment := getattr(self, name)) is None else moment.isoformat()
            for name in ("oldest_dirty_at", "oldest_left_at")
        }
        return asdict(self) | dates


@dataclass(slots=True)
class CycleRecord:
    """One build and drain of a queue, as the ledger and every output tell it.

    ``found == done + failed + busy + orphaned + remaining`` at any time.

    Attributes:
        time_limit_s: What it may take, seconds; None: no limit.
        predicted: What it was expected to take when its queue was built; None: nothing known.
        waits_for: Why nothing is claimed just now; None: it goes on.
        waits: Each time that nothing was claimed, the present one too.
        counts_keys: Whether its counts are of keys, the weights of the items, because those are
            ranges of keys.
        remarks: What the job's own query has to tell of it.
        queue: The kind of its queue, file or postgres.
    """

    job: str
    started_at: datetime
    as_of: date
    max_items: int
    cycle_id: int | None = None
    workers: int = 0
    levels: dict[int, LevelCount] = field(default_factory=dict[int, LevelCount])
    held: int = 0
    quarantined: int = 0
    duration_s: float = 0.0
    stop_reason: str | None = None
    stop_signal: int | None = None
    is_dry_run: bool = False
    time_limit_s: float | None = None
    predicted: Prediction | None = None
    waits_for: str | None = None
    waits: list[Wait] = field(default_factory=list[Wait])
    counts_keys: bool = False
    remarks: list[Remark] = field(default_factory=list[Remark])
    queue: str = "file"

    @property
    def waited_s(self) -> float:
        """How long nothing was claimed, seconds."""
        return sum(wait.seconds for wait in self.waits)

    def _sum(self, name: Literal["found", "done", "failed", "busy", "orphaned"]) -> int:
        return sum(getattr(level, name) for level in self.levels.values())

    @property
    def found(self) -> int:
        """The backlog when the cycle began, held items left out."""
        return self._sum("found")

    @property
    def done(self) -> int:
        """Refreshed and committed."""
        return self._sum("done")

    @property
    def failed(self) -> int:
        """Tried and rolled back with an error."""
        return self._sum("failed")

    @property
    def busy(self) -> int:
        """Held by somebody else at the time."""
        return self._sum("busy")

    @property
    def orphaned(self) -> int:
        """Claimed by a worker that died."""
        return self._sum("orphaned")

    @property
    def claimed(self) -> int:
        """Attempted, with any outcome."""
        return self.done + self.failed + self.busy + self.orphaned

    @property
    def remaining(self) -> int:
        """Found and not attempted: left for the next cycle."""
        return self.found - self.claimed

    @property
    def items_per_s(self) -> float:
        """Done items a second, over the whole cycle."""
        return self.done / self.duration_s if self.duration_s else 0.0

    def count(self, claim: Claim, outcome: Outcome, *, is_taken_back: bool = False) -> None:
        """Count an attempt, or take it back."""
        by = self.size(claim.values.get(WEIGHT)) * (-1 if is_taken_back else 1)
        if not by and outcome is not Outcome.DONE:  # a key that came while it ran, and that fails
            by = 1
            self._level(claim.level).found += 1
        self.add(claim.level, outcome, by)

    def add(self, level: int, outcome: Outcome, items: int) -> None:
        """Count so many attempts of a level."""
        counts = self._level(level)
        setattr(counts, outcome.value, getattr(counts, outcome.value) + items)

    def _level(self, level: int) -> LevelCount:
        counts = self.levels.get(level)
        if counts is None:
            counts = self.levels[level] = LevelCount(level, f"level {level}")
        return counts

    def size(self, weight: str | None) -> int:
        """How much an item of this weight counts: one, or the keys of its range."""
        return int(float(weight or 0)) if self.counts_keys else 1
