"""The record of a cycle: opened, and kept up to date while it runs."""

import json
import os
import socket
from dataclasses import asdict
from datetime import datetime

from etl import __version__, db
from etl.model import CycleRecord
from etl.sqlfile import shipped


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
    statement = shipped("ledger/update_cycle")
    db.unless_locked(connection, statement, lambda to: update_cycle(to, record))


def count_held(connection: db.Connection, record: CycleRecord, now: datetime) -> None:
    """Put the numbers of held and of quarantined items into the record."""
    record.held, record.quarantined = db.one(
        connection, shipped("held/count_held"), job=record.job, now=now
    )


def close_abandoned(connection: db.Connection, record: CycleRecord) -> None:
    """Close the records of this job's cycles that left nothing here to recover them from."""
    db.run(
        connection, shipped("ledger/close_abandoned_cycles"), job=record.job, now=record.started_at
    )
