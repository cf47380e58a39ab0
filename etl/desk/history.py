"""How cycles went: one with its slowest items and its failures."""

from dataclasses import dataclass
from datetime import datetime

from etl import db
from etl.desk import cycles
from etl.desk.cycles import CycleRow
from etl.errors import UsageError
from etl.job import Job
from etl.sqlfile import shipped

_SLOWEST = 10


@dataclass(frozen=True, slots=True)
class SlowItem:
    """An attempt that took long: the columns of sql/engine/desk/slowest_items.sql."""

    item_key: str
    level: int
    worker: int
    outcome: str
    duration_ms: float
    weight: float | None
    finished_at: datetime


@dataclass(frozen=True, slots=True)
class Failures:
    """Attempts that came to nothing for one reason: the columns of sql/engine/desk/failures.sql."""

    outcome: str
    sqlstate: str | None
    attempts: int
    item_key: str
    message: str | None


@dataclass(frozen=True, slots=True)
class CycleDetail:
    """One cycle.

    Attributes:
        cycle: Its record.
        slowest: Its slowest items.
        failures: What went wrong, the most frequent first.
        has_attempts: Whether the ledger still has its attempts.
    """

    cycle: CycleRow
    slowest: list[SlowItem]
    failures: list[Failures]
    has_attempts: bool


def detail(connection: db.Connection, job: Job, cycle_id: int) -> CycleDetail:
    """One cycle of a job.

    Raises:
        UsageError: The job has none with this id.
    """
    found = cycles.latest(connection, job.name, 1, cycle_id)
    if not found:
        raise UsageError(
            f"{job.command} has no cycle {cycle_id}", f"'etl history {job.command}' lists them."
        )
    values = {"cycle_id": cycle_id}
    slowest = db.run(connection, shipped("desk/slowest_items"), **values, items=_SLOWEST)
    failures = db.run(connection, shipped("desk/failures"), **values)
    cycle, slow = found[0], [SlowItem(*row) for row in slowest]
    wrong = [Failures(*row) for row in failures]
    return CycleDetail(cycle, slow, wrong, bool(slow or wrong or not cycle.claimed))
