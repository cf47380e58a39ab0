"""Reads the numbers of the ledger and of the backlog, in one state of the database.

Nothing is written, and it never takes longer than it may. A part that cannot be read, because
it takes too long or a right is missing, is left out and told; the others are there.
"""

import time
from dataclasses import dataclass, field

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from etl import __version__, db
from etl.errors import EtlError
from etl.job import Job
from etl.metrics.families import Samples
from etl.metrics.job_reader import JobReader
from etl.sqlfile import shipped

_GRACE_S = 1.0  # the server ends a statement itself where it can


@dataclass(slots=True)
class Reading:
    """What was read.

    Attributes:
        samples: All that is known.
        error: Why nothing could be read; None where the database answered.
        problems: Why a part could not be read, one line each.
        is_deployed: Whether the database has the ledger; None: not known.
    """

    samples: Samples = field(default_factory=Samples)
    error: EtlError | None = None
    problems: list[str] = field(default_factory=list[str])
    is_deployed: bool | None = None


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
    reading = Reading()
    told = jobs
    try:
        with db.reached(), db.connect(_in_time(target, timeout_s), "etl:metrics") as connection:
            until = time.monotonic() + timeout_s
            with db.answered_within(connection, timeout_s + _GRACE_S):
                told = _read(connection, jobs, reading, until, may_be_elsewhere=may_be_elsewhere)
        reading.samples.add("etl_scrape_duration_seconds", time.monotonic() - begun)
    except EtlError as error:
        reading = Reading(error=error)
    reading.samples.add("etl_up", reading.error is None)
    reading.samples.add("etl_build", 1, "_info", version=__version__)
    for job in told:
        for level, goal_s in job.freshness_goals.items():
            names = {"etl_job": job.name, "level": job.level_name(level)}
            reading.samples.add("etl_freshness_goal_seconds", goal_s, **names)
    return reading


def _read(
    connection: db.Connection,
    jobs: list[Job],
    reading: Reading,
    until: float,
    *,
    may_be_elsewhere: bool,
) -> list[Job]:
    """Read as far as the time allows. Returns the jobs of which something is told."""
    with db.snapshot(connection) as now:
        reading.is_deployed = db.one(connection, shipped("deploy/has_ledger")) == (True,)
        if not reading.is_deployed:
            for job in jobs:
                reading.samples.add("etl_schema_current", 0, etl_job=job.name)
            return jobs
        readers = [JobReader(connection, job, now, until) for job in jobs]
        for reader in readers:
            reader.schema()
        here = [reader for reader in readers if reader.is_here]
        for reader in here:
            reader.ledger()
        # Last, and shared fairly: these are the ones that may take long.
        for waiting, reader in zip(range(len(here), 0, -1), here, strict=True):
            reader.backlog(waiting)
    told = here if may_be_elsewhere else readers
    for reader in told:
        reading.samples.take_in(reader.samples)
        reading.problems += reader.problems
    return [reader.job for reader in told]


def _in_time(target: db.Target, timeout_s: float) -> db.Target:
    """The same database, not waited for any longer, unless the connection string says so."""
    given = conninfo_to_dict(target.dsn)
    wait = {"connect_timeout": f"{max(2.0, timeout_s):.0f}", **given}
    dsn = make_conninfo(**{name: str(value) for name, value in wait.items()})
    return db.Target(dsn, target.label)
