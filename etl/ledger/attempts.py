"""The attempts of a cycle: from its claim journal into the ledger, and what they tell there."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from etl import db
from etl.job import Job
from etl.ledger.cycles import CycleRow
from etl.model import WEIGHT, CycleRecord, Outcome, Result
from etl.queue import Entry, FileQueue, Settled, TableQueue, escape
from etl.sqlfile import shipped

_FAILURES = 30
_NULL = r"\N"


def finished(
    queue: FileQueue | TableQueue, taken_back: set[int], left: Sequence[Settled]
) -> Iterator[tuple[Entry, Result]]:
    """The attempts that have come to an outcome, and were not taken back.

    Args:
        queue: Has the attempts.
        taken_back: Positions of those that were.
        left: The outcomes of claims that had come to none when they were looked for. A worker that
            outlives its supervisor may have told one since.
    """
    waiting = {(claim.position, claim.item_key) for _, claim, _ in left}
    for entry in queue.history():
        if waiting and entry.is_outcome:
            waiting.discard((entry.claim.position, entry.claim.item_key))
        is_told = entry.is_outcome and entry.claim.position not in taken_back
        result = entry.result
        # A zero is in no text of PostgreSQL's: a page of the journal never got to the disk.
        if is_told and result is not None and "\0" not in entry.claim.item_key + result.message:
            yield entry, result
    for worker, claim, result in left:
        if (claim.position, claim.item_key) in waiting:
            yield Entry(time.time(), result.outcome.value, worker, claim, result), result


def copy(
    connection: db.Connection, cycle_id: int | None, attempts: Iterable[tuple[Entry, Result]]
) -> None:
    """Copy attempts into the ledger."""
    lines = (_line(cycle_id, entry, result) for entry, result in attempts)
    db.copy_in(connection, shipped("ledger/copy_attempts"), lines)


def _line(cycle_id: int | None, entry: Entry, result: Result) -> str:
    """An attempt as COPY reads it."""
    claim = entry.claim
    second, thousandth = divmod(round(entry.at * 1000), 1000)
    is_orphaned = result.outcome is Outcome.ORPHANED
    weight = claim.values.get(WEIGHT)
    fields = (
        str(cycle_id),
        escape(claim.item_key),
        str(claim.level),
        str(entry.worker),
        entry.event,
        f"{_moment(second)}.{thousandth:03}+00",
        _NULL if is_orphaned else f"{result.duration_ms:.3f}",
        result.sqlstate or _NULL,
        escape(result.message) or _NULL,
        repr(float(weight)) if weight else _NULL,
    )
    return "\t".join(fields) + "\n"


@lru_cache(maxsize=16)
def _moment(second: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(second))


def forget_attempts(connection: db.Connection, record: CycleRecord, job: Job) -> None:
    """Delete the attempts of this job's cycles that are older than it wants to keep."""
    db.run(
        connection,
        shipped("ledger/forget_attempts"),
        job=job.name,
        keep_days=job.keep_attempts_days,
        now=record.started_at,
    )


@dataclass(frozen=True, slots=True)
class SlowItem:
    """One of the attempts that took longest.

    Attributes:
        from_s: When it was claimed, seconds since the cycle began.
        weight: How much work it was, as the job says; None: it says nothing.
    """

    item_key: str
    level: int
    worker: int
    outcome: str
    from_s: float
    duration_ms: float
    weight: float | None


@dataclass(frozen=True, slots=True)
class Failure:
    """Attempts that came to the same outcome with the same SQLSTATE.

    Attributes:
        sqlstate: None: the worker died, or there is none.
        message: The commonest; None: none has any.
        messages: How many different ones there are.
        item_key: The key of one of them.
    """

    outcome: str
    sqlstate: str | None
    attempts: int
    message: str | None
    messages: int
    item_key: str


def slowest(connection: db.Connection, cycle: CycleRow, most: int) -> list[SlowItem]:
    """The attempts of a cycle that took longest, the longest first."""
    values = {"cycle_id": cycle.cycle_id, "started_at": cycle.started_at, "most": most}
    return [SlowItem(*row) for row in db.run(connection, shipped("ledger/slowest"), **values)]


def failures(connection: db.Connection, cycle: CycleRow) -> list[Failure]:
    """What went wrong in a cycle, the most frequent first."""
    values = {"cycle_id": cycle.cycle_id, "most": _FAILURES}
    return [Failure(*row) for row in db.run(connection, shipped("ledger/failures"), **values)]
