"""What is stale and for how long, how far the running cycle is, when the backlog is gone."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from etl import db
from etl.desk import cycles, flow
from etl.desk.cycles import CycleRow
from etl.desk.flow import Flow
from etl.freshness import LevelAge, ages
from etl.job import Job
from etl.ledger import rounds
from etl.sqlfile import shipped


@dataclass(frozen=True, slots=True)
class Running:
    """The cycle that runs now.

    Attributes:
        cycle: As far as it is.
        queued: How many items it took on.
        items_per_s: Attempts a second so far.
        eta: When it is expected to end; None: nobody knows yet.
    """

    cycle: CycleRow
    queued: int
    items_per_s: float
    eta: datetime | None


@dataclass(frozen=True, slots=True)
class Status:
    """What ``etl status`` tells of a job.

    Attributes:
        job: Its name.
        title: What a person calls it.
        unit: What one item is.
        asked_at: The moment of asking, by the server's clock.
        levels: What is dirty.
        backlog: How much that is in all.
        held: Items that wait after a failure.
        quarantined: Items that wait for a person.
        running: The running cycle.
        cut_off: A cycle whose record is open though nobody runs it: the next one closes it.
        last: The latest cycles that have ended, the last first.
        flow: When the backlog will be gone.
    """

    job: str
    title: str
    unit: str
    asked_at: datetime
    levels: list[LevelAge]
    backlog: int
    held: int
    quarantined: int
    running: Running | None
    cut_off: int | None
    last: list[CycleRow]
    flow: Flow


def look(connection: db.Connection, job: Job, as_of: date, shown: int = 3) -> Status:
    """Ask for the status of a job; nothing is written.

    Args:
        connection: In autocommit.
        job: The job; deployed.
        as_of: The day that counts as today, UTC.
        shown: How many of the latest cycles to tell.
    """
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        (now,) = connection.execute("SELECT clock_timestamp()").fetchall()[0]
        levels = ages(connection, rounds.latest(connection, job), as_of, now)
        held, quarantined = db.one(connection, shipped("held/count_held"), job=job.name, now=now)
        backlog = sum(level.items for level in levels)
        latest = cycles.latest(connection, job.name, shown + 1)
        is_run = db.run(connection, shipped("lock/cycle_lock_holder"), job=job.command).fetchone()
        open_one = next((cycle for cycle in latest if cycle.finished_at is None), None)
        return Status(
            job=job.name,
            title=job.title,
            unit=job.unit,
            asked_at=now,
            levels=levels,
            backlog=backlog,
            held=held,
            quarantined=quarantined,
            running=_running(open_one, now) if open_one is not None and is_run else None,
            cut_off=open_one.cycle_id if open_one is not None and not is_run else None,
            last=[cycle for cycle in latest if cycle.finished_at is not None][:shown],
            flow=flow.look(connection, job.name, backlog, now),
        )


def _running(cycle: CycleRow, now: datetime) -> Running:
    queued = min(cycle.max_items, cycle.found)
    worked_s = max(1e-3, cycle.duration_s - cycle.waited_s)
    rate = cycle.claimed / worked_s
    eta: datetime | None = None
    if cycle.claimed:
        eta = now + timedelta(seconds=max(0, queued - cycle.claimed) / rate)
    elif cycle.predicted_s is not None:
        eta = cycle.started_at + timedelta(seconds=cycle.predicted_s)
    if eta is not None and cycle.time_limit_s is not None:
        eta = min(eta, cycle.started_at + timedelta(seconds=cycle.time_limit_s))
    return Running(cycle, queued, rate, eta)
