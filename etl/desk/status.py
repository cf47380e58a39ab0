"""What is stale and for how long, how far the running cycle is, when the backlog is gone."""

from dataclasses import dataclass
from datetime import date, datetime

from etl import db
from etl.desk import flow
from etl.desk.flow import Flow
from etl.freshness import LevelAge, ages
from etl.job import Job
from etl.ledger import cycles, rounds
from etl.ledger.cycles import CycleRow
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
    with db.snapshot(connection) as now:
        running, cut_off = cycles.open_one(connection, job)
        latest = cycles.latest(connection, job, shown + 1)
        levels = ages(connection, rounds.latest(connection, job), as_of, now)
        held, quarantined = db.one(connection, shipped("held/count_held"), job=job.name, now=now)
        backlog = sum(level.items for level in levels)
        return Status(
            job=job.name,
            title=job.title,
            unit=job.unit,
            asked_at=now,
            levels=levels,
            backlog=backlog,
            held=held,
            quarantined=quarantined,
            running=_running(running, now) if running else None,
            cut_off=cut_off.cycle_id if cut_off else None,
            last=[cycle for cycle in latest if cycle.finished_at is not None][:shown],
            flow=flow.look(connection, job.name, backlog, now),
        )


def _running(cycle: CycleRow, now: datetime) -> Running:
    rate = cycle.claimed / max(1e-3, cycle.duration_s - cycle.waited_s)
    eta: datetime | None = None
    if cycle.claimed:
        eta = flow.later(now, max(0, cycle.queued - cycle.claimed) / rate)
    elif cycle.predicted_s is not None:
        eta = flow.later(cycle.started_at, cycle.predicted_s)
    if cycle.time_limit_s is not None and (cycle.claimed or eta is not None):
        end = flow.later(cycle.started_at, cycle.time_limit_s)
        eta = min((at for at in (eta, end) if at is not None), default=None)
    return Running(cycle, cycle.queued, rate, eta and max(now, eta))
