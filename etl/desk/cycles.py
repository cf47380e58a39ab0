"""Cycles as the ledger tells them, running ones too."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from etl import db
from etl.sqlfile import shipped


@dataclass(frozen=True, slots=True)
class CycleRow:
    """One cycle: the columns of sql/engine/desk/cycles.sql; durations in seconds."""

    cycle_id: int
    started_at: datetime
    finished_at: datetime | None
    duration_s: float
    as_of: date
    host: str
    pid: int
    max_items: int
    workers: int
    found: int
    done: int
    failed: int
    busy: int
    orphaned: int
    remaining: int
    stop_reason: str | None
    time_limit_s: float | None
    predicted_s: float | None
    predicted_p95_s: float | None
    waits_for: str | None
    waited_s: float
    levels: list[dict[str, Any]]

    @property
    def claimed(self) -> int:
        """Attempted, with any outcome."""
        return self.done + self.failed + self.busy + self.orphaned

    @property
    def items_per_s(self) -> float:
        """Done items a second, while nothing was waited for."""
        worked_s = self.duration_s - self.waited_s
        return self.done / worked_s if worked_s > 0 else 0.0

    @property
    def oldest_left_s(self) -> float | None:
        """How long the oldest item that it left had been dirty at its end; None: none, or unknown.

        That is the freshness it reached: nothing was staler.
        """
        return self.oldest_left_of(self.levels)

    def oldest_left_of(self, levels: Sequence[dict[str, Any]]) -> float | None:
        """As ``oldest_left_s``, of some of the levels."""
        moments = [
            datetime.fromisoformat(level["oldest_left_at"])
            for level in levels
            if level.get("oldest_left_at")
        ]
        if not moments or self.finished_at is None:
            return None
        return max(0.0, (self.finished_at - min(moments)).total_seconds())


def latest(
    connection: db.Connection, job: str, cycles: int, cycle_id: int | None = None
) -> list[CycleRow]:
    """The latest cycles of a job, or the one with this id; the last first."""
    statement = shipped("desk/cycles")
    rows = db.run(connection, statement, job=job, cycles=cycles, cycle_id=cycle_id)
    return [CycleRow(*map(_in_utc, row)) for row in rows]


def _in_utc(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) else value
