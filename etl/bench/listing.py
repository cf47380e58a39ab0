"""What it costs to know what is dirty: backlog.sql and prioritize.sql in one snapshot."""

import time
from collections.abc import Iterable

import psycopg

from etl import db, ledger, queryplan
from etl.backlog import Backlog
from etl.bench.plan import read_plan
from etl.bench.report import Listing
from etl.errors import FileError, UsageError
from etl.job import Job
from etl.ledger.cost import Budget
from etl.model import CycleRecord
from etl.queue import Buildable
from etl.settings import ItemLimit
from etl.sqlfile import shipped


def look(
    connection: db.Connection,
    job: Job,
    record: CycleRecord,
    queue: Buildable,
    parameters: Iterable[str],
    longest_s: float,
) -> Listing:
    """List the backlog as a cycle does, and once more with EXPLAIN.

    Args:
        connection: In autocommit; with the planner's settings of a cycle's supervisor.
        job: The job.
        record: Has the time that counts as now, and the limit.
        queue: Gets the list.
        parameters: Values that process.sql gets beside the columns of the list.
        longest_s: No query may take longer, seconds.

    Raises:
        UsageError: One of them did.
    """
    timeout = f"{longest_s * 1000:.0f}ms"
    db.run(connection, shipped("session/set_statement_timeout"), statement_timeout=timeout)
    backlog = Backlog(connection, job, record, parameters)
    values = {
        **job.values,
        "as_of": record.as_of,
        "now": record.started_at,
        "max_items": record.max_items,
        "reserved_percent": job.reserved_percent,
    }
    try:
        with backlog.snapshot():
            begun = time.perf_counter()
            backlog.count(ItemLimit(record.max_items))
            counted, found = time.perf_counter(), record.found
            listed = backlog.freeze(queue, job.reserved_percent, Budget(None, 1, None))
            frozen = time.perf_counter()
            plan, _ = queryplan.ask(connection, job.prioritize, values, is_run=True)
            ledger.count_held(connection, record, record.started_at)
    except FileError as error:
        if not isinstance(error.__cause__, psycopg.errors.QueryCanceled):
            raise
        raise UsageError(
            f"the listing alone takes longer than the time limit: {error.message}",
            "Give more --time-limit.",
        ) from error
    return Listing(
        found=found,
        held=record.held + record.quarantined,
        listed=listed,
        limit=record.max_items,
        backlog_s=counted - begun,
        prioritize_s=frozen - counted,
        reads=read_plan(plan),
    )
