"""What a bench has found, as values; nothing here prints."""

from dataclasses import dataclass, field
from datetime import date

from etl.bench.plan import PlanReads
from etl.bench.waits import Limit, Load
from etl.model import Outcome, Result


@dataclass(slots=True)
class Tally:
    """Outcomes of attempts that were rolled back.

    Attributes:
        failure: The first failure, with its SQLSTATE; empty: none.
    """

    done: int = 0
    failed: int = 0
    busy: int = 0
    failure: str = ""

    @property
    def items(self) -> int:
        """Attempted, with any outcome."""
        return self.done + self.failed + self.busy

    def count(self, result: Result) -> None:
        """Count an attempt."""
        if result.outcome is Outcome.DONE:
            self.done += 1
        elif result.outcome is Outcome.BUSY:
            self.busy += 1
        else:
            self.failed += 1
            self.failure = self.failure or f"{result.message} [{result.sqlstate}]"


@dataclass(frozen=True, slots=True)
class Listing:
    """What it costs to know what is dirty.

    Attributes:
        found: The backlog, held items left out.
        held: Items that wait, quarantined ones among them.
        listed: Rows of prioritize.sql.
        limit: How many it was asked for.
        backlog_s: backlog.sql, seconds.
        prioritize_s: prioritize.sql, until its rows stood in a queue file, seconds.
        reads: What prioritize.sql read.
    """

    found: int
    held: int
    listed: int
    limit: int
    backlog_s: float
    prioritize_s: float
    reads: PlanReads

    @property
    def rows_an_item(self) -> float:
        """Rows read for each dirty item, held ones among them."""
        return self.reads.rows / max(1, self.found + self.held)


@dataclass(frozen=True, slots=True)
class Spread:
    """How long something took, seconds."""

    mean_s: float
    median_s: float
    p95_s: float
    max_s: float

    @classmethod
    def of(cls, seconds: list[float]) -> "Spread":
        """Sum up measured times, at least one."""
        ordered = sorted(seconds)
        last = len(ordered) - 1
        return cls(
            mean_s=sum(ordered) / len(ordered),
            median_s=ordered[last // 2],
            p95_s=ordered[round(0.95 * last)],
            max_s=ordered[last],
        )


@dataclass(frozen=True, slots=True)
class OneWorker:
    """One worker, item after item, beside the same statements without the engine.

    The times are of the items that were done both ways. BEGIN and ROLLBACK, which stand for
    no part of a cycle, are in none of them.

    Attributes:
        statement: The statement, in the executor.
        engine: Claim and acknowledgement.
        bare: The statement alone, sent by libpq.
        round_trip_s: To the server and back, with nothing to do there, seconds; the median.
    """

    statement: Spread
    engine: Spread
    bare: Spread
    round_trip_s: float

    @property
    def engine_share(self) -> float:
        """The engine's share of an item's time, 0 to 1."""
        return self.engine.mean_s / (self.engine.mean_s + self.statement.mean_s)

    @property
    def ratio(self) -> float:
        """Items a second with the engine against those without."""
        return self.bare.mean_s / (self.engine.mean_s + self.statement.mean_s)


@dataclass(frozen=True, slots=True)
class Run:
    """Some workers over the same items.

    Attributes:
        tally: Outcomes.
        makespan_s: From the start to the end of the last worker.
        work_s: Time at work, of all workers.
        longest_s: The longest item.
        is_whole: Whether time was left for all of the items.
        load: How busy everything was.
    """

    tally: Tally
    makespan_s: float
    work_s: float
    longest_s: float
    is_whole: bool
    load: Load

    @property
    def items_per_s(self) -> float:
        """Items a second, BEGIN and ROLLBACK included."""
        return self.tally.items / self.makespan_s if self.makespan_s else 0.0

    @property
    def evenness(self) -> float:
        """The ideal, which is the work shared by all evenly, against the makespan."""
        return self.work_s / self.load.workers / self.makespan_s if self.makespan_s else 0.0


@dataclass(slots=True)
class Report:
    """All of it.

    Attributes:
        job: Its name.
        as_of: The day that counted as today.
        items: How many were to be measured.
        cycle: The session that ran a cycle of the job when the bench began; None: none did.
        listing: What it costs to know what is dirty; None only before it is known.
        tally: Outcomes of one worker's attempts.
        one_worker: None where nothing is dirty, or no item was done.
        runs: More and more workers.
        limit: What limits the last of them; None where there are none.
        is_over: Whether the time limit left something out.
        duration_s: Of the bench.
    """

    job: str
    as_of: date
    items: int
    cycle: str | None = None
    listing: Listing | None = None
    tally: Tally = field(default_factory=Tally)
    one_worker: OneWorker | None = None
    runs: list[Run] = field(default_factory=list[Run])
    limit: Limit | None = None
    is_over: bool = False
    duration_s: float = 0.0
