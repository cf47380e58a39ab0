"""Reads the ledger for a report: one state of it, and only reads."""

from dataclasses import fields

from etl import __version__, db
from etl.job import Job
from etl.ledger import attempts
from etl.ledger.cycles import CycleRow, latest
from etl.report.facts import Block, Cost, Held, HeldFacts, JobFacts, Mark, Report, WorkerFacts
from etl.report.verdict import judge
from etl.sqlfile import shipped

_SLOWEST, _HELD = 60, 20
_BLOCKS, _MARKS = 8_000, 1_200
"""Of a page at most, whatever the number of workers: a block takes about 15 bytes, a mark 150."""


def gather(
    connection: db.Connection, job: Job, database: str, cycles: int, cycle_id: int | None
) -> Report:
    """Read what a report tells.

    Args:
        connection: In autocommit.
        job: The job.
        database: What the database is called, without a password.
        cycles: How many cycles at most.
        cycle_id: The one that it is about; None: the job's latest.

    Raises:
        UsageError: The job has no such cycle.
    """
    with db.snapshot(connection) as now:
        found = latest(connection, job, cycles, cycle_id)[::-1]
        cycle = found[-1] if found else None
        gap_s = _gap_s(cycle) if cycle else 0.0
        held = _held(connection, job)
        return Report(
            job=JobFacts(**{its.name: getattr(job, its.name) for its in fields(JobFacts)}),
            database=database,
            reported_at=now,
            etl_version=__version__,
            verdict=judge(job.unit, found, held),
            cycle=cycle,
            cycles=found,
            workers=_workers(connection, cycle, gap_s) if cycle else [],
            gap_s=gap_s,
            marks=_marks(connection, cycle) if cycle else [],
            slowest=attempts.slowest(connection, cycle, _SLOWEST) if cycle else [],
            costs=_costs(connection, job, found) if cycle else [],
            failures=attempts.failures(connection, cycle) if cycle else [],
            held=held,
        )


def _gap_s(cycle: CycleRow) -> float:
    """The shortest pause that is drawn, seconds; the more workers, the longer."""
    slots = max(50, min(800, _BLOCKS // max(1, cycle.workers)))
    return cycle.duration_s / slots


def _workers(connection: db.Connection, cycle: CycleRow, gap_s: float) -> list[WorkerFacts]:
    values = {"cycle_id": cycle.cycle_id, "started_at": cycle.started_at, "gap_s": gap_s}
    blocks: dict[int, list[Block]] = {}
    busy_s: dict[int, float] = {}
    for worker, *block, busy in db.run(connection, shipped("report/busy_blocks"), **values):
        blocks.setdefault(worker, []).append(Block(*block))
        busy_s[worker] = busy_s.get(worker, 0.0) + busy
    return [
        WorkerFacts(worker, sum(block.items for block in its), busy_s[worker], its)
        for worker, its in blocks.items()
    ]


def _marks(connection: db.Connection, cycle: CycleRow) -> list[Mark]:
    slots = max(5, min(120, _MARKS // max(1, cycle.workers)))
    slot_s = max(cycle.duration_s, 0.001) / slots
    values = {"cycle_id": cycle.cycle_id, "started_at": cycle.started_at, "slot_s": slot_s}
    return [Mark(*row) for row in db.run(connection, shipped("report/marks"), **values)]


def _costs(connection: db.Connection, job: Job, cycles: list[CycleRow]) -> list[Cost]:
    values = {"job": job.name, "from_id": cycles[0].cycle_id, "to_id": cycles[-1].cycle_id}
    return [Cost(*row) for row in db.run(connection, shipped("report/costs"), **values)]


def _held(connection: db.Connection, job: Job) -> Held:
    any_of = dict.fromkeys(("sqlstate", "outcome", "state"), "")
    rows = db.run(
        connection, shipped("held/list_held"), job=job.name, most=_HELD, **any_of
    ).fetchall()
    held, quarantined, due = rows[0][-3:] if rows else (0, 0, 0)
    items = [
        HeldFacts(key, state, attempts, sqlstate, message, since or until)
        for _, key, state, attempts, _, sqlstate, message, until, since, *_ in rows
    ]
    return Held(held, quarantined, due, items)
