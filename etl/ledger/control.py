"""What somebody wants of a job's cycles, from any terminal on any host: ``etl.control``."""

from dataclasses import dataclass
from datetime import datetime

from etl import db
from etl.job import Job
from etl.ledger import cycles
from etl.sqlfile import shipped


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is wanted of one cycle: the columns of sql/engine/control/wishes.sql.

    Attributes:
        is_paused: Whether it is to claim nothing for now.
        pause_reason: Why, if anybody said.
        is_cancelled: Whether it is to end.
        cancels_running: Whether it cancels what is in hand, too.
        workers: How many it is to have; None: as many as it has.
    """

    is_paused: bool
    pause_reason: str | None
    is_cancelled: bool
    cancels_running: bool
    workers: int | None


def wishes(connection: db.Connection, job: str, cycle_id: int | None) -> Wishes:
    """What is wanted of this cycle."""
    return Wishes(*db.one(connection, shipped("control/wishes"), job=job, cycle_id=cycle_id))


def pause(
    connection: db.Connection, job: str, seconds: float | None, reason: str | None
) -> datetime | None:
    """Let the cycles of a job claim nothing.

    Args:
        connection: Where.
        job: The job.
        seconds: For how long; None: until it is resumed.
        reason: Why.

    Returns:
        Until when; None: until it is resumed.
    """
    values = {"job": job, "seconds": seconds, "reason": reason}
    until: datetime | None = db.one(connection, shipped("control/pause"), **values)[0]
    return until


def resume(connection: db.Connection, job: str) -> bool:
    """Let them claim again. Returns whether they were paused."""
    return db.run(connection, shipped("control/resume"), job=job).fetchone() is not None


def cancel(connection: db.Connection, job: str, cycle_id: int, *, cancels_running: bool) -> None:
    """Ask one cycle to end."""
    values = {"job": job, "cycle_id": cycle_id, "cancels_running": cancels_running}
    db.run(connection, shipped("control/cancel"), **values)


def resize(connection: db.Connection, job: str, cycle_id: int, workers: int) -> None:
    """Ask one cycle to have another number of workers."""
    values = {"job": job, "cycle_id": cycle_id, "workers": workers}
    db.run(connection, shipped("control/resize"), **values)


def running_cycle(connection: db.Connection, job: Job) -> int | None:
    """The cycle of a job that runs now: its record is open, and somebody holds its lock."""
    running, _ = cycles.open_one(connection, job)
    return running.cycle_id if running is not None else None
