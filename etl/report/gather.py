"""Reads the ledger for a report: one state of it, and only reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg

from etl import __version__, db
from etl.errors import UsageError
from etl.job import Job
from etl.report.facts import (
    Block,
    Cost,
    CycleFacts,
    Failure,
    Held,
    HeldFacts,
    JobFacts,
    LevelFacts,
    Mark,
    Report,
    SlowItem,
    Wait,
    WorkerFacts,
)
from etl.report.verdict import judge
from etl.sqlfile import shipped

_SLOWEST, _FAILURES, _HELD = 60, 30, 20
_BLOCKS, _MARKS = 8_000, 1_200
"""Of a page at most, whatever the number of workers: a block takes about 15 bytes, a mark 150."""


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What a user may decide about a report.

    Attributes:
        cycles: How many cycles at most.
        cycle_id: The one that it is about; None: the job's latest.
        goals: The age that no item of a level should reach, seconds; of levels that have one.
        now: The moment that counts as now.
    """

    cycles: int
    cycle_id: int | None
    goals: Mapping[int, float]
    now: datetime


def gather(connection: db.Connection, job: Job, database: str, options: ReportOptions) -> Report:
    """Read what a report tells.

    Args:
        connection: In autocommit.
        job: The job.
        database: What the database is called, without a password.
        options: What the user decided.

    Raises:
        UsageError: The job has no such cycle.
    """
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    with connection.transaction():
        return _Reader(connection, job, options).report(database)


class _Reader:
    def __init__(self, connection: db.Connection, job: Job, options: ReportOptions) -> None:
        self._connection = connection
        self._job = job
        self._options = options

    def report(self, database: str) -> Report:
        cycles = self._cycles()
        cycle = cycles[-1] if cycles else None
        held = self._held()
        job = _job_facts(self._job)
        return Report(
            job=job,
            database=database,
            reported_at=self._options.now,
            etl_version=__version__,
            verdict=judge(job, cycles, held),
            cycle=cycle,
            cycles=cycles,
            workers=self._workers(cycle) if cycle else [],
            gap_s=_gap_s(cycle) if cycle else 0.0,
            marks=self._marks(cycle) if cycle else [],
            slowest=self._slowest(cycle) if cycle else [],
            costs=self._costs(cycles) if cycles else [],
            failures=self._failures(cycle) if cycle else [],
            held=held,
        )

    def _run(self, name: str, **values: object) -> "psycopg.Cursor[db.Row]":
        return db.run(self._connection, shipped(f"report/{name}"), **values)

    def _cycles(self) -> list[CycleFacts]:
        wanted = self._options.cycle_id
        rows = self._run(
            "cycles", job=self._job.name, cycle_id=wanted or 0, cycles=self._options.cycles
        )
        names = [column.name for column in rows.description or ()]
        found = [self._cycle(dict(zip(names, row, strict=True))) for row in rows]
        if wanted is not None and (not found or found[0].cycle_id != wanted):
            raise UsageError(
                f"{self._job.command} has no cycle {wanted}",
                "Without --cycle, the report is about its latest.",
            )
        return found[::-1]

    def _cycle(self, row: dict[str, Any]) -> CycleFacts:
        end = row["finished_at"] or self._options.now
        levels, waits = row.pop("levels"), row.pop("waits")
        return CycleFacts(
            **row,
            duration_s=max(0.0, (end - row["started_at"]).total_seconds()),
            levels=[self._level(level, row["started_at"], end) for level in levels],
            waits=[
                Wait(
                    str(wait["reason"]),
                    (_moment(wait["since"]) - row["started_at"]).total_seconds(),
                    float(wait["seconds"]),
                )
                for wait in waits
            ],
        )

    def _level(self, level: dict[str, Any], began: datetime, end: datetime) -> LevelFacts:
        tried = {name: int(level[name]) for name in ("done", "failed", "busy", "orphaned")}
        return LevelFacts(
            level=level["level"],
            name=level["name"],
            found=level["found"],
            **tried,
            remaining=level["found"] - sum(tried.values()),
            oldest_s=_age_s(level.get("oldest_dirty_at"), began),
            left=level.get("left"),
            oldest_left_s=_age_s(level.get("oldest_left_at"), end),
            goal_s=self._options.goals.get(level["level"]),
        )

    def _workers(self, cycle: CycleFacts) -> list[WorkerFacts]:
        rows = self._run(
            "busy_blocks",
            cycle_id=cycle.cycle_id,
            started_at=cycle.started_at,
            gap_s=_gap_s(cycle),
        )
        blocks: dict[int, list[Block]] = {}
        busy_s: dict[int, float] = {}
        for worker, from_s, to_s, items, busy in rows:
            blocks.setdefault(worker, []).append(Block(from_s, to_s, items))
            busy_s[worker] = busy_s.get(worker, 0.0) + busy
        return [
            WorkerFacts(worker, sum(block.items for block in its), busy_s[worker], its)
            for worker, its in blocks.items()
        ]

    def _marks(self, cycle: CycleFacts) -> list[Mark]:
        slots = max(5, min(120, _MARKS // max(1, cycle.workers)))
        rows = self._run(
            "marks",
            cycle_id=cycle.cycle_id,
            started_at=cycle.started_at,
            slot_s=max(cycle.duration_s, 0.001) / slots,
        )
        return [Mark(*row) for row in rows]

    def _slowest(self, cycle: CycleFacts) -> list[SlowItem]:
        rows = self._run(
            "slowest", cycle_id=cycle.cycle_id, started_at=cycle.started_at, most=_SLOWEST
        )
        return [SlowItem(*row) for row in rows]

    def _costs(self, cycles: list[CycleFacts]) -> list[Cost]:
        ids = [cycle.cycle_id for cycle in cycles]
        rows = self._run("costs", job=self._job.name, from_id=min(ids), to_id=max(ids))
        return [Cost(*row) for row in rows]

    def _failures(self, cycle: CycleFacts) -> list[Failure]:
        rows = self._run("failures", cycle_id=cycle.cycle_id, most=_FAILURES)
        return [Failure(*row) for row in rows]

    def _held(self) -> Held:
        rows = self._run("held", job=self._job.name, most=_HELD).fetchall()
        held, quarantined, due = rows[0][6:] if rows else (0, 0, 0)
        return Held(held, quarantined, due, [HeldFacts(*row[:6]) for row in rows])


def _gap_s(cycle: CycleFacts) -> float:
    """The shortest pause that is drawn, seconds; the more workers, the longer."""
    slots = max(50, min(800, _BLOCKS // max(1, cycle.workers)))
    return cycle.duration_s / slots


def _job_facts(job: Job) -> JobFacts:
    return JobFacts(
        name=job.name,
        title=job.title,
        unit=job.unit,
        max_items=job.max_items,
        reserved_percent=job.reserved_percent,
        max_attempts=job.max_attempts,
        keep_attempts_days=job.keep_attempts_days,
        statement_timeout_s=job.statement_timeout_s,
        slow_statement_timeout_s=job.slow_statement_timeout_s,
        lock_timeout_s=job.lock_timeout_s,
        time_limit_s=job.time_limit_s,
    )


def _moment(text: str) -> datetime:
    """A time out of JSON; without an offset it is UTC."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _age_s(since: str | None, now: datetime) -> float | None:
    """How long ago something was, seconds; what lies ahead is 0."""
    return None if since is None else max(0.0, (now - _moment(since)).total_seconds())
