"""Closing the record of a cycle, also of one that was cut off."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from etl import db
from etl.errors import FileError
from etl.job import Job
from etl.ledger.attempts import copy, finished
from etl.ledger.record import count_held, update_cycle
from etl.model import CycleRecord, LevelCount, Outcome
from etl.queue import FileQueue, OpenClaims, TableQueue
from etl.sqlfile import shipped


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
            counted anew, because a worker that outlives its supervisor may still be adding to them.
    """
    finished_at = datetime.now(UTC)
    left = claims.settle("the cycle was cut off") if look is None else []
    with db.explained(connection, shipped("ledger/copy_attempts")), connection.transaction():
        db.run(connection, shipped("session/set_closing"), nested_loops="off", lock_timeout="0")
        if _unclosed(connection, record.cycle_id) is None:
            # The connection was lost after the COMMIT and before its answer.
            count_held(connection, record, finished_at)
            return
        if isinstance(queue, TableQueue):
            for worker, claim, result in left:
                queue.settle_one(connection, worker, claim, result)
            queue.conclude(connection)
        else:
            copy(connection, record.cycle_id, finished(queue, claims.taken_back, left))
        if look is None or isinstance(queue, TableQueue):
            _count_anew(connection, record)
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


def _count_anew(connection: db.Connection, record: CycleRecord) -> None:
    """Count what the ledger has; a key that came on the way was found as well."""
    for level in record.levels.values():
        level.done = level.failed = level.busy = level.orphaned = 0
    counted = db.run(connection, shipped("ledger/count_attempts"), cycle_id=record.cycle_id)
    for number, outcome, attempts, weight in counted:
        items = int(weight if record.counts_keys else attempts)
        record.add(number, Outcome(outcome), items)
    for level in record.levels.values():
        level.found = max(level.found, level.claimed)


def _look(connection: db.Connection, look: Callable[[db.Connection], None]) -> None:
    """Without it a record closes as well: what it would have told stays unknown."""
    settings = shipped("session/set_closing")
    with suppress(FileError), connection.transaction():
        db.run(connection, settings, nested_loops="on", lock_timeout="1s")
        look(connection)
        db.run(connection, settings, nested_loops="on", lock_timeout="0")


def _unclosed(connection: db.Connection, cycle_id: int | None) -> db.Row | None:
    return db.run(connection, shipped("ledger/unclosed_cycle"), cycle_id=cycle_id).fetchone()


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
