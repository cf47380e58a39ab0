"""The ledger in schema ``etl``: which cycles ran, and what each attempt came to.

A successful item costs no round trip here. Workers write to the claim journal; the
supervisor counts from it and, when the cycle closes, copies it into ``etl.attempt`` in the
same transaction in which the record closes. That commit is synchronous and comes after
all the workers' commits, so once the record is closed everything in it is durable. Where a
cycle was cut off, the next one closes its record from the same journal.
"""

import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from functools import lru_cache

from psycopg.errors import LockNotAvailable, QueryCanceled

from etl import __version__, db
from etl.errors import FileError
from etl.job import Job
from etl.model import WEIGHT, CycleRecord, LevelCount, Outcome, Result
from etl.queue import Entry, FileQueue, OpenClaims, Settled, TableQueue, escape
from etl.sqlfile import shipped

_COPIED_TOGETHER = 1000
_NULL = r"\N"


def open_cycle(connection: db.Connection, record: CycleRecord) -> int:
    """Write the record of a cycle that begins. Returns its id."""
    (cycle_id,) = db.one(
        connection,
        shipped("ledger/open_cycle"),
        job=record.job,
        started_at=record.started_at,
        host=socket.gethostname(),
        pid=os.getpid(),
        etl_version=__version__,
        as_of=record.as_of,
        queue=record.queue,
    )
    record.cycle_id = int(cycle_id)
    return record.cycle_id


def update_cycle(
    connection: db.Connection, record: CycleRecord, finished_at: datetime | None = None
) -> None:
    """Bring the record in the database up to date with this one."""
    db.run(
        connection,
        shipped("ledger/update_cycle"),
        cycle_id=record.cycle_id,
        max_items=record.max_items,
        workers=record.workers,
        found=record.found,
        done=record.done,
        failed=record.failed,
        busy=record.busy,
        orphaned=record.orphaned,
        remaining=record.remaining,
        levels=json.dumps([level.as_dict() for level in record.levels.values()]),
        stop_reason=record.stop_reason,
        time_limit_s=record.time_limit_s,
        predicted_s=record.predicted.mean_s if record.predicted else None,
        predicted_p95_s=record.predicted.p95_s if record.predicted else None,
        waits_for=record.waits_for,
        waits=json.dumps(
            [{**asdict(wait), "since": wait.since.isoformat()} for wait in record.waits]
        ),
        finished_at=finished_at,
    )


def update_progress(connection: db.Connection, record: CycleRecord) -> None:
    """As ``update_cycle``, but not where somebody has the row or the table locked."""
    try:
        with db.explained(connection, shipped("ledger/update_cycle")), connection.transaction():
            connection.execute("SET LOCAL lock_timeout = '200ms'")
            update_cycle(connection, record)
    except FileError as error:
        if not isinstance(error.__cause__, (LockNotAvailable, QueryCanceled)):
            raise


def close_cycle(
    connection: db.Connection,
    queue: FileQueue | TableQueue,
    record: CycleRecord,
    job: Job,
    claims: OpenClaims,
    look: Callable[[db.Connection], None] | None = None,
) -> None:
    """Close the record of a cycle: attempts, held items, counts, in one durable transaction.

    Args:
        connection: In autocommit.
        queue: Has the attempts.
        record: The record.
        job: Its job.
        claims: What its journal told.
        look: Looks at the backlog that is left, once the failed items are held. None where the
            cycle was cut off: then the claims that came to no outcome are orphaned, and all are
            counted anew, in the one pass that copies them, because a worker that outlives its
            supervisor may still be adding to them.
    """
    finished_at = datetime.now(UTC)
    found = {level.level: level.found for level in record.levels.values()}
    left = claims.settle("the cycle was cut off") if look is None else []
    with db.explained(connection, shipped("ledger/copy_attempts")), connection.transaction():
        connection.execute("SET LOCAL synchronous_commit = on")
        # The server has no statistics of attempts copied a moment ago. Where it takes them for few
        # it compares each failed one with all those done: 3.6 s of 1,000 and 20,000, not 10 ms.
        connection.execute("SET LOCAL enable_nestloop = off")
        if _unclosed(connection, record.cycle_id) is None:
            # The connection was lost after the COMMIT and before its answer.
            count_held(connection, record, finished_at)
            return
        if isinstance(queue, TableQueue):
            _conclude(connection, queue, record, left)
        else:
            attempts = finished(queue, claims.taken_back, left)
            _copy(connection, record, attempts, is_counting=look is None)
        if look is None:  # what was found on the way is in there already, as far as it was told
            for level in record.levels.values():
                level.found = max(found.get(level.level, 0), level.claimed)
        values = {"cycle_id": record.cycle_id, "job": record.job, "now": finished_at}
        db.run(connection, shipped("held/release_done_items"), **values)
        if job.batches is not None:
            done = shipped("held/release_done_ranges")
            db.run(connection, done, job=record.job, round=job.scope.round_id)
        db.run(
            connection,
            shipped("held/hold_items"),
            **values,
            max_attempts=job.max_attempts,
        )
        db.run(connection, shipped("ledger/record_durations"), cycle_id=record.cycle_id)
        count_held(connection, record, finished_at)
        if look is not None:
            _look(connection, look)
        update_cycle(connection, record, finished_at)


def _copy(
    connection: db.Connection,
    record: CycleRecord,
    attempts: Iterator[tuple[Entry, Result]],
    *,
    is_counting: bool,
) -> None:
    lines: list[str] = []
    with connection.cursor().copy(shipped("ledger/copy_attempts").text) as copy:
        for entry, result in attempts:
            if is_counting:
                record.count(entry.claim, result.outcome)
            lines.append(_line(record.cycle_id, entry, result))
            if len(lines) == _COPIED_TOGETHER:
                copy.write("".join(lines))
                lines.clear()
        copy.write("".join(lines))


def _conclude(
    connection: db.Connection, queue: TableQueue, record: CycleRecord, left: Sequence[Settled]
) -> None:
    """The attempts are in the ledger, but for the last ones; and so are the counts."""
    for worker, claim, result in left:
        queue.settle_one(connection, worker, claim, result)
    queue.conclude(connection)
    for level in record.levels.values():
        level.done = level.failed = level.busy = level.orphaned = 0
    counted = db.run(connection, shipped("queue/count_attempts"), cycle_id=record.cycle_id)
    for level, outcome, attempts, weight in counted:
        items = int(weight if record.counts_keys else attempts)
        record.add(level, Outcome(outcome), items)


def _look(connection: db.Connection, look: Callable[[db.Connection], None]) -> None:
    """Without it a record closes as well: what it would have told stays unknown."""
    with suppress(FileError), connection.transaction():
        connection.execute("SET LOCAL enable_nestloop = on")
        look(connection)


def forget_attempts(connection: db.Connection, record: CycleRecord, job: Job) -> None:
    """Delete the attempts of this job's cycles that are older than it wants to keep."""
    db.run(
        connection,
        shipped("ledger/forget_attempts"),
        job=job.name,
        keep_days=job.keep_attempts_days,
        now=record.started_at,
    )


def _unclosed(connection: db.Connection, cycle_id: int | None) -> db.Row | None:
    return db.run(connection, shipped("ledger/unclosed_cycle"), cycle_id=cycle_id).fetchone()


def count_held(connection: db.Connection, record: CycleRecord, now: datetime) -> None:
    """Put the numbers of held and of quarantined items into the record."""
    record.held, record.quarantined = db.one(
        connection, shipped("held/count_held"), job=record.job, now=now
    )


def recover(
    connection: db.Connection, queue: FileQueue | TableQueue, cycle_id: int, job: Job
) -> CycleRecord | None:
    """Close the record of a cycle that was cut off, from the journal it left.

    The items that its workers worked on count as orphaned: a crash is an attempt.

    Returns:
        The closed record; None where it was closed already.
    """
    row = _unclosed(connection, cycle_id)
    if row is None or row[0] != job.name:
        return None
    name, started_at, as_of, max_items, workers, levels = row
    record = CycleRecord(
        job=name, started_at=started_at, as_of=as_of, max_items=max_items,
        cycle_id=cycle_id, workers=workers, stop_reason="crashed",
        counts_keys=job.batches is not None,
    )  # fmt: skip
    for level in levels:
        fresh = LevelCount(level["level"], level["name"], level["found"])
        since = level.get("oldest_dirty_at")
        fresh.oldest_dirty_at = datetime.fromisoformat(since) if since else None
        record.levels[fresh.level] = fresh
    claims = OpenClaims()
    for entry in queue.history():
        claims.follow(entry)
    # Only read: what is damaged, or on a full disk, must not keep the next cycles from beginning.
    close_cycle(connection, queue, record, job, claims)
    return record


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


def close_abandoned(connection: db.Connection, record: CycleRecord) -> None:
    """Close the records of this job's cycles that left nothing here to recover them from."""
    db.run(
        connection, shipped("ledger/close_abandoned_cycles"), job=record.job, now=record.started_at
    )
