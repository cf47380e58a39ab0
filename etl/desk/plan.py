"""What a cycle started now would do; nothing is written."""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from etl import db, freshness
from etl.backlog import Backlog
from etl.freshness import LevelAge
from etl.job import Job
from etl.ledger import cost, rounds
from etl.ledger.cost import Budget
from etl.model import WEIGHT, CycleRecord, LevelCount, Prediction
from etl.settings import CycleOptions
from etl.sqlfile import shipped

_SHOWN = 5
_SUPERVISOR = 1


@dataclass(frozen=True, slots=True)
class PlannedItem:
    """An item of the queue that would be.

    Attributes:
        position: Its place, the first is 1.
        item_key: Its key.
        level: Its priority level.
        weight: How much work it is, as the job says; None where it says nothing.
    """

    position: int
    item_key: str
    level: int
    weight: float | None


@dataclass(frozen=True, slots=True)
class PlannedLevel:
    """One level of it.

    Attributes:
        level: Its number.
        name: Its name.
        found: Dirty items.
        queued: Those that the cycle would take.
        cut_off: Those that it would leave.
        cut_off_oldest_s, cut_off_p95_s, cut_off_p50_s: How long these have been dirty, as
            ``LevelAge`` has it, seconds; None: not known.
        goal_s: How long the job wants any to be dirty at most, seconds; None: it does not say.
    """

    level: int
    name: str
    found: int
    queued: int
    cut_off: int
    cut_off_oldest_s: float | None
    cut_off_p95_s: float | None
    cut_off_p50_s: float | None
    goal_s: float | None


@dataclass(frozen=True, slots=True)
class Connections:
    """Whether the server has room for the cycle.

    Attributes:
        needed: A connection for each worker and one for their supervisor.
        free: What is left, without those reserved for superusers.
        most: max_connections.
    """

    needed: int
    free: int
    most: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What ``etl plan`` tells.

    Attributes:
        job: Its name.
        title: What a person calls it.
        unit: What one item is.
        as_of: The day that counts as today.
        found: The backlog.
        queued: How much of it the cycle would take.
        max_items: The item limit in force.
        is_catch_up: Whether that is the limit for catching up.
        time_limit_s: The time limit, seconds; None: none.
        is_cut_by_time: Whether it is the time limit that cuts.
        reserved_percent: Share of the queue for the items that have been dirty longest.
        reserved: Places that this share makes.
        levels: By level.
        first: The first items.
        last: The last ones; none of the first.
        workers: With so many.
        predicted: How long it would take; None: no cycle has told yet.
        learned_from: Cycles that told.
        connections: Whether there are enough.
        held: Items that wait after a failure.
        quarantined: Items that wait for a person.
    """

    job: str
    title: str
    unit: str
    as_of: date
    found: int
    queued: int
    max_items: int
    is_catch_up: bool
    time_limit_s: float | None
    is_cut_by_time: bool
    reserved_percent: int
    reserved: int
    levels: list[PlannedLevel]
    first: list[PlannedItem]
    last: list[PlannedItem]
    workers: int
    predicted: Prediction | None
    learned_from: int
    connections: Connections
    held: int
    quarantined: int


class _List:
    """Takes the place of a queue: remembers what it would hold."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.first: list[PlannedItem] = []
        self.last: deque[PlannedItem] = deque(maxlen=_SHOWN)

    def build(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
        key, level = columns.index("item_key"), columns.index("level")
        weight = columns.index(WEIGHT) if WEIGHT in columns else None
        for position, row in enumerate(rows, 1):
            heavy = row[weight] if weight is not None else None
            amount = None if heavy is None else float(str(heavy))
            item = PlannedItem(position, str(row[key]), int(str(row[level])), amount)
            self.keys.append(item.item_key)
            (self.first if position <= _SHOWN else self.last).append(item)
        return len(self.keys)


def _levels(
    connection: db.Connection, job: Job, record: CycleRecord, frozen: Counter[int], keys: list[str]
) -> list[PlannedLevel]:
    ages: dict[int, LevelAge] = {}
    if job.freshness is not None:  # only the job could tell how old just those are that are left
        left = freshness.ages(connection, job, record.as_of, record.started_at, keys)
        ages = {age.level: age for age in left}

    def planned(level: LevelCount) -> PlannedLevel:
        number, found, queued = level.level, level.found, frozen[level.level]
        unknown = LevelAge(number, level.name, found - queued, None, None, None, None)
        left = ages.get(number, unknown)
        return PlannedLevel(
            number, level.name, found, queued, left.items, left.oldest_s, left.p95_s, left.p50_s,
            job.freshness_goals.get(number),
        )  # fmt: skip

    return [planned(level) for _, level in sorted(record.levels.items())]


def look(connection: db.Connection, job: Job, options: CycleOptions) -> Plan:
    """Plan a cycle.

    Args:
        connection: In autocommit; with a role that may read what the job reads.
        job: The job; deployed.
        options: Of the cycle; what a plan does not tell is left alone.
    """
    now = datetime.now(UTC)
    job = rounds.expected(connection, job)
    record = CycleRecord(job.name, now, options.as_of, options.limit.max_items)
    record.counts_keys = job.batches is not None
    record.time_limit_s = options.time_limit_s
    backlog = Backlog(connection, job, record, job.parameters(options.as_of))
    queue = _List()
    with backlog.snapshot():
        is_catch_up = backlog.count(options.limit)
        model = cost.learn(connection, job.name)
        workers = min(options.workers, max(1, record.found, record.max_items))
        budget = Budget(model, workers, options.time_limit_s)
        queued = backlog.freeze(queue, options.reserved_percent, budget)
        levels = _levels(connection, job, record, backlog.frozen, queue.keys)
        held, quarantined = db.one(connection, shipped("held/count_held"), job=job.name, now=now)
        most, reserved, used = db.one(connection, shipped("desk/connections"))
    needed = min(workers, queued) + _SUPERVISOR
    return Plan(
        job=job.name,
        title=job.title,
        unit=job.unit,
        as_of=options.as_of,
        found=record.found,
        queued=queued,
        max_items=record.max_items,
        is_catch_up=is_catch_up,
        time_limit_s=options.time_limit_s,
        is_cut_by_time=budget.is_exceeded,
        reserved_percent=options.reserved_percent,
        reserved=-(-queued * options.reserved_percent // 100),
        levels=levels,
        first=queue.first,
        last=list(queue.last),
        workers=min(workers, queued),
        predicted=budget.prediction(),
        learned_from=model.cycles if model is not None else 0,
        connections=Connections(needed, most - reserved - used + 1, most),  # one is this one
        held=held,
        quarantined=quarantined,
    )
