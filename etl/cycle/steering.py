"""Heeds, while a cycle runs, what an operator wants of it and how the server fares.

Once a second it reads ``etl.control``, and every other second the health signals of the job.
While one of them says so, nothing is claimed: the workers keep their connections and wait.
Each such time, and why, goes into the record.
"""

import time
from datetime import UTC, datetime

from etl import db
from etl.crew.supervisor import Supervisor
from etl.cycle import health
from etl.cycle.health import Vitals
from etl.events import CancelRequested, ClaimingPaused, ClaimingResumed, Emit
from etl.job import Job
from etl.ledger import control
from etl.ledger.control import Wishes
from etl.model import CycleRecord, Wait

_HEALTH_EVERY_S = 2.0


class Steering:
    """Steers one cycle.

    Args:
        job: Its job.
        record: Its record; gets the waits.
        may_wait: Whether it can be paused; not so where a person asked for one item by name.
        emit: Told of each change.
    """

    def __init__(self, job: Job, record: CycleRecord, emit: Emit, *, may_wait: bool) -> None:
        self._job = job
        self._may_wait = may_wait
        self._record = record
        self._emit = emit
        self._looked_at = float("-inf")
        self._vitals: Vitals | None = None
        self._complaints: list[str] = []
        self._waits_since: float | None = None
        self.is_cancelled = False

    def look(self, connection: db.Connection, supervisor: Supervisor) -> None:
        """Look at what is wanted and how the server fares, and see to it."""
        wishes = control.wishes(connection, self._job.name, self._record.cycle_id)
        now = time.monotonic()
        if self._may_wait and now - self._looked_at >= _HEALTH_EVERY_S:
            self._looked_at = now
            vitals = health.look(connection)
            self._complaints = health.complaints(self._job.health_limits, vitals, self._vitals)
            self._vitals = vitals
        if self._may_wait:
            self._pause(supervisor, [*paused_by(wishes), *self._complaints])
        if wishes.workers is not None and wishes.workers != self._record.workers:
            supervisor.resize(wishes.workers)
        if wishes.is_cancelled:
            self._cancel(supervisor, is_cancelling=wishes.cancels_running)

    def tick(self) -> None:
        """Keep the record of the present wait up to date."""
        if self._waits_since is not None:
            self._record.waits[-1].seconds = time.monotonic() - self._waits_since

    def end(self) -> None:
        """The cycle waits for nothing any more."""
        self.tick()
        self._waits_since = self._record.waits_for = None

    def _pause(self, supervisor: Supervisor, reasons: list[str]) -> None:
        self.tick()
        reason = "; ".join(reasons) or None
        if reason is None and self._record.waits_for is not None:
            self._emit(ClaimingResumed(self._record.waits[-1].seconds))
            self.end()
        elif reason is not None and self._record.waits_for is None:
            self._waits_since = time.monotonic()
            self._record.waits.append(Wait(reason, datetime.now(UTC)))
            self._emit(ClaimingPaused(reason))
        if reason is not None:
            self._record.waits_for = self._record.waits[-1].reason = reason
        supervisor.pause(is_paused=reason is not None)

    def _cancel(self, supervisor: Supervisor, *, is_cancelling: bool) -> None:
        if not self.is_cancelled:
            self._emit(CancelRequested(is_cancelling))
        self.is_cancelled = True
        supervisor.stop(is_cancelling=is_cancelling)


def paused_by(wishes: Wishes) -> list[str]:
    """Why nothing is to be claimed, where an operator said so; else nothing."""
    if not wishes.is_paused:
        return []
    return [f"paused: {wishes.pause_reason}" if wishes.pause_reason else "paused"]
