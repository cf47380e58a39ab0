"""What a report tells, as values; all durations in seconds unless the name ends in ``_ms``."""

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class LevelFacts:
    """What a cycle found, did and left in one priority level.

    Attributes:
        level: 1 first; 0: items asked for by name.
        remaining: Found and not attempted.
        oldest_s: Age of its longest dirty item when the cycle began; None: unknown, or no item.
        left: Its backlog when the cycle had finished; None: unknown.
        oldest_left_s: Age of the longest dirty item of that; None: unknown, or no item.
        goal_s: The age that no item of it should reach; None: the job says none.
    """

    level: int
    name: str
    found: int
    done: int
    failed: int
    busy: int
    orphaned: int
    remaining: int
    oldest_s: float | None
    left: int | None
    oldest_left_s: float | None
    goal_s: float | None

    @property
    def age_s(self) -> float | None:
        """The latest known age of its longest dirty item; None: unknown; 0: nothing is dirty."""
        if self.left == 0:
            return 0.0
        return self.oldest_s if self.oldest_left_s is None else self.oldest_left_s

    @property
    def is_late(self) -> bool:
        """Whether that age misses the goal."""
        return self.goal_s is not None and self.age_s is not None and self.age_s > self.goal_s


@dataclass(frozen=True, slots=True)
class Wait:
    """A time in which a cycle claimed nothing.

    Attributes:
        from_s: When it began, seconds since the cycle did.
    """

    reason: str
    from_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class CycleFacts:
    """A cycle as the ledger has it.

    Attributes:
        duration_s: So far, where it has not finished.
        finished_at: None: it runs, or was cut off and nobody has closed its record yet.
        time_limit_s, predicted_s, predicted_p95_s: None: there was none.
        stop_reason: None: as for finished_at.
        waits_for: Why it claims nothing just now; None: it does, or is over.
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
    levels: list[LevelFacts]
    waits: list[Wait]

    @property
    def claimed(self) -> int:
        """Attempted, with any outcome."""
        return self.done + self.failed + self.busy + self.orphaned

    @property
    def items_per_s(self) -> float:
        """Done items a second, over the whole cycle."""
        return self.done / self.duration_s if self.duration_s > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Block:
    """A time in which a worker went from item to item without a pause that could be seen."""

    from_s: float
    to_s: float
    items: int


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """What one worker of a cycle did.

    Attributes:
        busy_s: How long it had an item in hand; without any pause.
    """

    worker: int
    items: int
    busy_s: float
    blocks: list[Block]


@dataclass(frozen=True, slots=True)
class Mark:
    """Attempts of a worker that were not done, at about one moment.

    Attributes:
        item_key: The key of one of them.
        sqlstate: Of one of them; None: none has any.
    """

    worker: int
    outcome: str
    at_s: float
    items: int
    item_key: str
    sqlstate: str | None


@dataclass(frozen=True, slots=True)
class SlowItem:
    """One of the attempts that took longest.

    Attributes:
        from_s: When it was claimed, seconds since the cycle began.
        weight: How much work it was, as the job says; None: it says nothing.
    """

    item_key: str
    level: int
    worker: int
    outcome: str
    from_s: float
    duration_ms: float
    weight: float | None


@dataclass(frozen=True, slots=True)
class Cost:
    """What items of about one weight cost: from ``from_weight``, below ``below_weight``."""

    from_weight: float
    below_weight: float
    items: int
    median_ms: float
    p95_ms: float
    max_ms: float
    total_ms: float


@dataclass(frozen=True, slots=True)
class Failure:
    """Attempts of a cycle that came to the same outcome with the same SQLSTATE.

    Attributes:
        sqlstate: None: the worker died, or there is none.
        message: The commonest; None: none has any.
        messages: How many different ones there are.
        item_key: The key of one of them.
    """

    outcome: str
    sqlstate: str | None
    items: int
    message: str | None
    messages: int
    item_key: str


@dataclass(frozen=True, slots=True)
class HeldFacts:
    """An item that failed lately.

    Attributes:
        until_at: End of its back-off, UTC; of a quarantined one: since when it waits.
    """

    item_key: str
    state: str
    attempts: int
    sqlstate: str | None
    message: str | None
    until_at: str


@dataclass(frozen=True, slots=True)
class Held:
    """How many items of the job wait, now; the first of them."""

    held: int
    quarantined: int
    due: int
    items: list[HeldFacts]


@dataclass(frozen=True, slots=True)
class JobFacts:
    """A job and its settings, as its job.toml has them now."""

    name: str
    title: str
    unit: str
    max_items: int
    reserved_percent: int
    max_attempts: int
    keep_attempts_days: int
    statement_timeout_s: float
    slow_statement_timeout_s: float
    lock_timeout_s: float
    time_limit_s: float | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The report in one sentence.

    Attributes:
        state: empty, running, failed, late, growing, backlog or fresh.
    """

    state: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Report:
    """All of it.

    Attributes:
        database: Where the ledger is, without a password.
        reported_at: The moment that counts as now.
        cycle: The cycle that was asked for; None: the job has none yet.
        cycles: The last ones up to it, the earliest first.
        workers, marks, slowest, failures: Of the cycle. Empty while it runs, and once the
            ledger has forgotten its attempts.
        gap_s: A pause of a worker up to this long is part of a block.
        costs: Of all these cycles.
        held: Now.
    """

    job: JobFacts
    database: str
    reported_at: datetime
    etl_version: str
    verdict: Verdict
    cycle: CycleFacts | None
    cycles: list[CycleFacts]
    workers: list[WorkerFacts]
    gap_s: float
    marks: list[Mark]
    slowest: list[SlowItem]
    costs: list[Cost]
    failures: list[Failure]
    held: Held
