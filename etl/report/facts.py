"""What a report tells, as values; all durations in seconds unless the name ends in ``_ms``."""

from dataclasses import dataclass
from datetime import datetime

from etl.ledger.attempts import Failure, SlowItem
from etl.ledger.cycles import CycleRow


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
    cycle: CycleRow | None
    cycles: list[CycleRow]
    workers: list[WorkerFacts]
    gap_s: float
    marks: list[Mark]
    slowest: list[SlowItem]
    costs: list[Cost]
    failures: list[Failure]
    held: Held
