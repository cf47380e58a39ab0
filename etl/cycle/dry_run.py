"""A cycle that only says what it would do, and writes nothing at all."""

from etl import db, ledger
from etl.backlog import Backlog
from etl.cycle import remarks
from etl.events import BacklogCounted, Emit
from etl.job import Job
from etl.ledger import rounds
from etl.model import CycleRecord
from etl.settings import CycleOptions


def look(
    connection: db.Connection, job: Job, record: CycleRecord, options: CycleOptions, emit: Emit
) -> None:
    """Count what is dirty, and ask the job what would change.

    Args:
        connection: In autocommit.
        job: The job.
        record: Gets the counts.
        options: What the user decided.
        emit: Told of the backlog.
    """
    record.stop_reason = "dry run"
    record.is_dry_run = True
    if not options.begins_again:
        job = rounds.expected(connection, job)
    backlog = Backlog(connection, job, record, ())
    is_catch_up = False
    with backlog.snapshot():
        if options.only_key is None:
            is_catch_up = backlog.count(options.limit)
        else:
            backlog.count_one()
        ledger.count_held(connection, record, record.started_at)
        remarks.preview(connection, job, record)
    queued = min(record.found, record.max_items)
    record.workers = min(options.workers, queued)
    emit(BacklogCounted(record, queued, is_catch_up))
