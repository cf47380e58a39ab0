"""Rounds: a round takes each key of a scope once, in one cycle or in several.

For jobs whose items are key ranges, of which nothing in the data says whether they are done:
each batch says so in ``etl.done_range``, in its own transaction. Where a round is cut off, the
next cycle goes on where it was. When nothing is left of it, the next cycle begins another one.
"""

import json
from dataclasses import replace
from datetime import datetime

from etl import db
from etl.job import Job
from etl.job.shape import FIRST, LAST
from etl.model import CycleRecord
from etl.sqlfile import shipped


def begin(connection: db.Connection, job: Job, now: datetime) -> Job:
    """The job in the round that its next cycle belongs to: the open one of its scope, or a new one.

    Args:
        connection: Holds the lock of the job's cycles.
        job: Any job; one without key ranges has no rounds, and is returned as it is.
        now: When the round begins.
    """
    if job.batches is None:
        return job
    (round_id,) = db.one(
        connection, shipped("rounds/open_round"), job=job.name, scope=_scope(job), now=now
    )
    return _in_round(job, int(round_id))


def again(connection: db.Connection, job: Job, now: datetime) -> None:
    """End the open round of a scope, so that the next cycle begins with all keys."""
    present = expected(connection, job)
    if present.scope.round_id:
        db.run(connection, shipped("rounds/end_round"), round=present.scope.round_id, now=now)


def expected(connection: db.Connection, job: Job) -> Job:
    """The job in the round that its next cycle would go on with; nothing is begun."""
    round_id, is_open = _latest(connection, job)
    return _in_round(job, round_id if is_open else 0)


def latest(connection: db.Connection, job: Job) -> Job:
    """The job in its latest round: once that has ended, only keys added since are left."""
    return _in_round(job, _latest(connection, job)[0])


def end(connection: db.Connection, job: Job, record: CycleRecord, now: datetime) -> None:
    """End the round of a job where its cycle has left nothing of it but quarantined items.

    Args:
        connection: In the transaction that closes the record.
        job: In its round.
        record: Of the cycle; knows what is left.
        now: When it ends.
    """
    left = record.busy + sum(level.left or 0 for level in record.levels.values())
    if job.batches is None or record.stop_reason != "drained" or left:
        return
    scope = job.scope
    asked = {"round": scope.round_id, "from_key": scope.from_key, "to_key": scope.to_key}
    (held,) = db.one(connection, shipped("rounds/held_in_round"), job=job.name, now=now, **asked)
    if not held:
        db.run(connection, shipped("rounds/end_round"), round=scope.round_id, now=now)


def _latest(connection: db.Connection, job: Job) -> tuple[int, bool]:
    if job.batches is None:
        return 0, False
    found = db.run(
        connection, shipped("rounds/latest_round"), job=job.name, scope=_scope(job)
    ).fetchone()
    return (int(found[0]), bool(found[1])) if found is not None else (0, False)


def _in_round(job: Job, round_id: int) -> Job:
    return replace(job, scope=replace(job.scope, round_id=round_id))


def _scope(job: Job) -> str:
    """Only what somebody asked for: the same scope next time, whatever options come to be."""
    scope = job.scope
    window = {"from_key": (scope.from_key, FIRST), "to_key": (scope.to_key, LAST)}
    asked = {name: value for name, (value, default) in window.items() if value != default}
    given = {o.name: scope.options[o.name] for o in job.options if o.name in scope.options}
    return json.dumps({**asked, **given}, sort_keys=True)
