"""Reads the numbers of the ledger and of the backlog, in one state of the database.

Nothing is written, and it never takes longer than it may. A part that cannot be read, because
it takes too long or a right is missing, is left out and told; the others are there.
"""

import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from etl import db, deploy
from etl.backlog import Backlog
from etl.deploy import FileState
from etl.errors import EtlError, FileError
from etl.job import Job
from etl.ledger import control, cycles
from etl.ledger.cycles import CycleRow
from etl.model import CycleRecord, LevelCount
from etl.sqlfile import shipped

ERROR = "error"
STOP_REASONS = (
    "drained", "limit", "time limit", "incomplete", "stopped", "cancelled", "paused", "crashed",
    ERROR,
)  # fmt: skip
"""How a cycle can end; error stands for the message of any error that stopped it."""

_GRACE_S = 1.0  # the server ends a statement itself where it can
_SHORTEST_S = 0.001  # PostgreSQL takes 0 for no limit


@dataclass(slots=True)
class JobReading:
    """What was read of a job. None, or no key: not known.

    Attributes:
        job: The job.
        parts: Whether each part could be read: schema, ledger, backlog.
        is_current: Whether the database has the SQL files of this version.
        is_here: Whether the database has any file of the job; one that needs none is here.
        items: Attempts in all finished cycles: by name of the level, then by outcome.
        cycles: Finished cycles by how they ended, one of STOP_REASONS.
        cycle_s: How long they took together, seconds.
        waited_s: How long they waited, seconds.
        durations: Bounds in seconds and how many done items took at most so long.
        durations_s: How long the done items took together, seconds.
        last: The last finished cycle, the columns of sql/engine/metrics/last_cycle.sql.
        growing_cycles: Cycles in a row that found more than the one before.
        is_cut_off: Whether a cycle's record is open that nobody runs.
        running: The running cycle.
        is_paused: Whether somebody has paused it.
        held: Items that wait after a failure.
        quarantined: Items that wait for a person.
        backlog: The dirty items by level, as what is left; each level that has a name is there.
    """

    job: Job
    parts: dict[str, bool] = field(default_factory=dict[str, bool])
    is_current: bool | None = None
    is_here: bool = True
    items: dict[str, dict[str, int]] | None = None
    cycles: Counter[str] | None = None
    cycle_s: float = 0.0
    waited_s: float = 0.0
    durations: list[tuple[float, int]] | None = None
    durations_s: float = 0.0
    last: dict[str, Any] | None = None
    growing_cycles: int | None = None
    is_cut_off: bool | None = None
    running: CycleRow | None = None
    is_paused: bool | None = None
    held: int | None = None
    quarantined: int | None = None
    backlog: list[LevelCount] | None = None


@dataclass(slots=True)
class Reading:
    """What was read.

    Attributes:
        jobs: Of each job.
        error: Why nothing could be read; None where the database answered.
        problems: Why a part could not be read, one line each.
        is_deployed: Whether the database has the ledger; None: not known.
        asked_at: The moment of asking, by the server's clock.
        duration_s: How long reading took, seconds.
    """

    jobs: list[JobReading]
    error: EtlError | None = None
    problems: list[str] = field(default_factory=list[str])
    is_deployed: bool | None = None
    asked_at: datetime | None = None
    duration_s: float = 0.0


class _Reader:
    """Reads into a reading until its time is over."""

    def __init__(self, connection: db.Connection, reading: Reading, until: float) -> None:
        self._connection = connection
        self._reading = reading
        self._until = until

    def read(self) -> None:
        connection, reading = self._connection, self._reading
        with db.snapshot(connection) as reading.asked_at:
            reading.is_deployed = db.one(connection, shipped("deploy/has_ledger")) == (True,)
            if not reading.is_deployed:
                for job in reading.jobs:
                    job.is_current = False
                return
            for job in reading.jobs:
                with self._part(job, "schema"):
                    self._schema(job)
            here = [job for job in reading.jobs if job.is_here]
            for job in here:
                with self._part(job, "ledger"):
                    self._cycles(job)
                    self._totals(job)
            # Last, and shared fairly: these are the ones that may take long.
            for waiting, job in zip(range(len(here), 0, -1), here, strict=True):
                with self._part(job, "backlog", share=waiting):
                    self._backlog(job)

    @contextmanager
    def _part(self, job: JobReading, name: str, share: int = 1) -> Generator[None]:
        """Read a part as far as the time allows; a failure leaves the others alone.

        Args:
            job: Whose.
            name: Which.
            share: How many parts the time that is left is for.
        """
        left_s = max(_SHORTEST_S, (self._until - time.monotonic()) / share)
        job.parts[name] = False
        try:
            with self._connection.transaction():
                self._run("session/set_statement_timeout", statement_timeout=f"{left_s * 1000:.0f}")
                yield
            job.parts[name] = True
        except FileError as error:
            self._reading.problems.append(f"{job.job.name}: no {name}: {error.message}")

    def _run(self, statement: str, **values: object) -> list[dict[str, Any]]:
        cursor = db.run(self._connection, shipped(statement), **values)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def _schema(self, job: JobReading) -> None:
        files = deploy.compare(self._connection, [job.job])
        job.is_current = all(file.state is FileState.APPLIED for file in files)
        own = [file.state for file in files if file.scope == job.job.name]
        job.is_here = not own or any(state is not FileState.PENDING for state in own)

    def _totals(self, job: JobReading) -> None:
        name = job.job.name
        by_level = self._run("metrics/items", job=name)
        job.items = {str(row.pop("level")): row for row in by_level}
        by_reason = self._run("metrics/cycles", job=name)
        job.cycles = Counter()
        for row in by_reason:
            reason = row["stop_reason"]
            job.cycles[reason if reason in STOP_REASONS else ERROR] += row["cycles"]
        job.cycle_s = sum(row["duration_s"] for row in by_reason)
        job.waited_s = sum(row["waited_s"] for row in by_reason)
        (durations,) = self._run("metrics/durations", job=name)
        job.durations = list(zip(durations["bounds_s"], durations["counts"], strict=True))
        job.durations_s = durations["sum_s"]

    def _cycles(self, job: JobReading) -> None:
        name, now = job.job.name, self._reading.asked_at
        is_run = cycles.is_run(self._connection, job.job)
        open_one = [
            cycle
            for cycle in cycles.latest(self._connection, job.job, 1)
            if cycle.finished_at is None
        ]
        job.is_cut_off = bool(open_one) and not is_run
        job.running = open_one[0] if open_one and is_run else None
        job.is_paused = control.wishes(self._connection, name, None).is_paused
        job.last = next(iter(self._run("metrics/last_cycle", job=name)), None)
        (job.growing_cycles,) = db.one(
            self._connection, shipped("metrics/growing_cycles"), job=name
        )
        job.held, job.quarantined = db.one(
            self._connection, shipped("held/count_held"), job=name, now=now
        )

    def _backlog(self, job: JobReading) -> None:
        now = self._reading.asked_at or datetime.now(UTC)
        record = CycleRecord(job.job.name, now, now.astimezone(UTC).date(), max_items=1)
        Backlog(self._connection, job.job, record, ()).count_left(now)
        for level in job.job.level_names:
            record.levels.setdefault(level, LevelCount(level, job.job.level_name(level), left=0))
        job.backlog = [record.levels[level] for level in sorted(record.levels)]


def read(
    target: db.Target, jobs: list[Job], timeout_s: float, *, may_be_elsewhere: bool = False
) -> Reading:
    """Read all of it.

    Args:
        target: The database.
        jobs: The jobs.
        timeout_s: How long it may take, seconds. A connection is waited for that long again.
        may_be_elsewhere: Leave out jobs of which this database has nothing, and tell nothing of
            it: they belong to another one. Else they are told as not current.

    Returns:
        The reading. A database that cannot be reached is an answer too.
    """
    begun = time.monotonic()
    reading = Reading([JobReading(job) for job in jobs])
    try:
        with db.reached(), db.connect(_in_time(target, timeout_s), "etl:metrics") as connection:
            until = time.monotonic() + timeout_s
            with db.answered_within(connection, timeout_s + _GRACE_S):
                _Reader(connection, reading, until).read()
    except EtlError as error:
        return Reading([JobReading(job) for job in jobs], error=error)
    if may_be_elsewhere:
        reading.jobs = [job for job in reading.jobs if job.is_here]
    reading.duration_s = time.monotonic() - begun
    return reading


def _in_time(target: db.Target, timeout_s: float) -> db.Target:
    """The same database, not waited for any longer, unless the connection string says so."""
    given = conninfo_to_dict(target.dsn)
    wait = {"connect_timeout": f"{max(2.0, timeout_s):.0f}", **given}
    dsn = make_conninfo(**{name: str(value) for name, value in wait.items()})
    return db.Target(dsn, target.label)
