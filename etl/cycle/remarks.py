"""What a job's own queries have to tell of a cycle: before it, by preview.sql; after it, by
summary.sql."""

from datetime import UTC, datetime

from etl import db
from etl.errors import FileError
from etl.job import Job
from etl.model import CycleRecord, Remark
from etl.sqlfile import Statement

_PREVIEW = ("what", "records", "sample")
_SUMMARY = ("what", "value")


def preview(connection: db.Connection, job: Job, record: CycleRecord) -> None:
    """Ask what a cycle would change.

    Raises:
        FileError: The query is broken.
    """
    if job.preview is not None:
        rows = _rows(connection, job.preview, _PREVIEW, job, record)
        record.remarks = [
            Remark(str(what), f"{records:,}", None if sample is None else str(sample))
            for what, records, sample in rows
        ]


def summary(connection: db.Connection, job: Job, record: CycleRecord) -> None:
    """Ask what became of a cycle whose record is closed.

    Raises:
        FileError: The query is broken.
    """
    if job.summary_of_cycle is not None:
        rows = _rows(connection, job.summary_of_cycle, _SUMMARY, job, record)
        record.remarks = [Remark(str(what), str(value)) for what, value in rows]


def _rows(
    connection: db.Connection,
    statement: Statement,
    columns: tuple[str, ...],
    job: Job,
    record: CycleRecord,
) -> list[db.Row]:
    given = {**job.parameters(record.as_of, record.cycle_id), "now": datetime.now(UTC)}
    cursor = db.run(connection, statement, **given)
    names = tuple(column.name for column in cursor.description or ())
    if names != columns:
        problem = f"must return {', '.join(columns)}"
        raise FileError(statement.path, None, problem, f"It has {list(names)}.")
    return cursor.fetchall()
