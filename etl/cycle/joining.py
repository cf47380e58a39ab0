"""Workers of this host in a cycle that another one runs, or another process: a crew.

The cycle's queue is in the database: etl/queue/table.py. A crew enters itself in ``etl.crew``, has
a supervisor of its own for its workers, and looks once a second whether the cycle goes on and what
an operator wants of it. It leaves when nothing is left to claim, when the cycle closes, or when
the host that ran it holds its lock no more.
"""

import os
import socket
import time
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from etl import db, deploy
from etl.crew.stop_signals import StopSignals
from etl.crew.supervisor import Hooks, Supervisor
from etl.cycle.leftovers import crew_folder, queues_folder, settle_dead_crews
from etl.cycle.link import Link
from etl.cycle.sharing import require_same_files
from etl.cycle.steering import Steering
from etl.errors import UsageError
from etl.events import CycleAwaited, CycleJoined, Emit
from etl.job import Job
from etl.model import CycleRecord, Orders
from etl.queue import TableQueue
from etl.settings import MOST_WORKERS, host_timeout_s
from etl.sqlfile import shipped
from etl.worker.session import end_sessions, session_name

_LOOK_EVERY_S = 1.0
_LONGEST_S = 60.0  # for a transaction of the supervisor's own


@dataclass(frozen=True, slots=True)
class Standing:
    """A cycle that can be joined: the columns of sql/engine/queue/standing.sql."""

    cycle_id: int
    names: list[str]
    parameters: dict[str, str | int | None]
    files: dict[str, str]
    batch_size: int | None
    is_closing: bool


@dataclass(frozen=True, slots=True)
class CrewOptions:
    """What a user may decide about a crew.

    Attributes:
        workers: How many workers, at most 999.
        most_workers: How many there may be, where more are tried as long as they bring something.
        follows: Whether to wait for a cycle, and for the next one, until a signal comes.
        time_limit_s: Claim nothing after that many seconds; None: no limit.
    """

    workers: int
    most_workers: int | None = None
    follows: bool = False
    time_limit_s: float | None = None


def standing(connection: db.Connection, job: Job) -> Standing | None:
    """The cycle of a job that can be joined now, if any."""
    found = shipped("queue/standing")
    row = db.run(connection, found, job=job.name, command=job.command).fetchone()
    return None if row is None else Standing(*row)


class HostCrew:
    """The workers of this host in the cycles of a job.

    Args:
        job: The job.
        target: The database.
        state: The state folder.
        options: What the user decided.
        emit: Told of everything that happens.

    Attributes:
        records: Of each cycle that was joined, what this host's workers did there.
        stop_signal: The signal that ended it, if any.
    """

    def __init__(
        self, job: Job, target: db.Target, state: Path, options: CrewOptions, emit: Emit
    ) -> None:
        self._job, self._target, self._state = job, target, state
        self._options, self._emit = options, emit
        limit = options.time_limit_s
        self._deadline = None if limit is None else time.monotonic() + limit
        self._looked = 0.0
        self._known: db.Connection | None = None
        self.records: list[CycleRecord] = []
        self.stop_signal: int | None = None

    def run(self) -> list[CycleRecord]:
        """Join the running cycle, or each, one after the other.

        Raises:
            UsageError: The files of the job are not those of the cycle, or the rights are missing.
            EtlError: It had to stop; what was done stays done.
        """
        self._job.check()
        last: int | None = None
        is_told = False
        link = Link(self._target, self._job.command, self._emit, is_crew=True)
        with closing(link), StopSignals() as signals:
            deploy.require_current(link.connection, self._job)
            if db.one(link.connection, shipped("queue/may_join")) != (True,):
                raise UsageError(
                    "this login may not take part in a cycle",
                    "Connect as a member of etl_runner (docs/roles.md).",
                )
            while not signals.received and not self._is_over():
                cycle = self._find(link)
                if cycle is not None and not cycle.is_closing and cycle.cycle_id != last:
                    last, is_told = cycle.cycle_id, False
                    deploy.require_current(link.connection, self._job)
                    require_same_files(self._job, cycle.files)
                    self._take_part(link, cycle, signals)
                elif self._options.follows:
                    if not is_told:
                        self._emit(CycleAwaited())
                    is_told = True
                    signals.wait(_LOOK_EVERY_S)
                if not self._options.follows:
                    break
            self.stop_signal = next(iter(signals.received), None)
        return self.records

    def _find(self, link: Link) -> Standing | None:
        found: list[Standing | None] = []
        link.attempt(lambda to: found.append(standing(to, self._job)))
        return found[0] if found else None

    def _is_over(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline

    def _take_part(self, link: Link, cycle: Standing, signals: StopSignals) -> None:
        given = {"cycle_id": cycle.cycle_id, "host": socket.gethostname(), "pid": os.getpid()}
        enter, workers = shipped("queue/join_cycle"), self._options.workers
        row = db.run(link.connection, enter, **given, workers=workers).fetchone()
        if row is None:  # it closes
            return
        crew = int(row[0])
        began = time.monotonic()
        record = CycleRecord(
            job=self._job.name, started_at=datetime.now(UTC), as_of=datetime.now(UTC).date(),
            max_items=0, cycle_id=cycle.cycle_id, workers=workers,
            counts_keys=self._job.batches is not None, queue="postgres",
        )  # fmt: skip
        self.records.append(record)
        self._emit(CycleJoined(cycle.cycle_id, crew, workers))
        folder = queues_folder(self._state, link.connection, self._job)
        settle_dead_crews(link.connection, folder, self._job, cycle.cycle_id)
        with (
            crew_folder(folder, cycle.cycle_id, crew) as own,
            closing(TableQueue(own, cycle.cycle_id, link.attempt, takes_outcomes=False)) as queue,
        ):
            queue.begin_journal()
            try:
                self._drain(link, cycle, crew, queue, signals)
            finally:
                record.duration_s = time.monotonic() - began
                leave, entered = shipped("queue/leave_cycle"), given | {"crew": crew}
                link.attempt(lambda to: db.run(to, leave, **entered))

    def _drain(
        self, link: Link, cycle: Standing, crew: int, queue: TableQueue, signals: StopSignals
    ) -> None:
        record, first = self.records[-1], crew * (MOST_WORKERS + 1)
        steering = Steering(self._job, record, self._emit, may_wait=True)
        ordered = Orders(
            number=0, dsn=self._target.dsn, label=self._target.label,
            job_folder=str(self._job.folder), queue_folder=str(queue.folder),
            parameters=cycle.parameters, deadline=self._deadline, batch_size=cycle.batch_size,
            names=cycle.names,
        )  # fmt: skip

        def look(connection: db.Connection) -> None:
            given = {"cycle_id": cycle.cycle_id, "crew": crew}
            if connection is not self._known:  # the first one, or found after that was lost
                limits = {"silence_s": host_timeout_s(os.environ), "longest_s": _LONGEST_S}
                db.run(connection, shipped("queue/set_session"), **limits)
                self._known = connection
            db.run(connection, shipped("queue/check_in"), **given)
            now = standing(connection, self._job)
            if now is None or now.is_closing or now.cycle_id != cycle.cycle_id:
                supervisor.stop(is_cancelling=False)
            steering.look(connection, supervisor)

        def tick() -> None:
            steering.tick()
            if time.monotonic() - self._looked >= _LOOK_EVERY_S:
                self._looked = time.monotonic()
                link.attempt(look)

        hooks = Hooks(
            orders=lambda number: replace(ordered, number=number),
            on_tick=tick,
            on_death=lambda number: link.attempt(
                lambda to: end_sessions(to, session_name(self._job, number))
            ),
        )
        supervisor = Supervisor(queue, record, signals, hooks, self._emit, first_worker=first + 1)
        with closing(supervisor):
            supervisor.drain(self._options.workers, self._options.most_workers)
            steering.end()
