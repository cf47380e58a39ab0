"""``etl demo``: the whole of it on sample data, for somebody who sees it for the first time."""

import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from etl import settings
from etl.cli.database import target
from etl.cli.exit_statuses import SOME_FAILED
from etl.cli.jobs import job_named, job_names, whole_jobs
from etl.cli.options import Dsn, day
from etl.cli.output import say, tell
from etl.errors import UsageError
from etl.sqlfile import shipped, statements

_JOB = "datamart-users"
_NEXT = (
    ("{job} --dry-run", "what the next cycle would do"),
    ("{job}", "the next cycle, as cron runs it"),
    ("verify {job}", "is every result right?"),
    ("held list {job}", "what failed, and why"),
    ("status --watch", "what is dirty, and how far a cycle is"),
    ("load-notes FILE.csv.gz", "load real notes"),
    ("server psql", "look around: SELECT * FROM etl.progress;"),
    ("server stop", "when you are done"),
)


def demo(
    job: Annotated[
        str, typer.Argument(help="The job, such as datamart-users.", autocompletion=job_names)
    ] = _JOB,
    scale: Annotated[
        int, typer.Option("--scale", min=10, help="How much sample data: users, entries, invoices.")
    ] = 20000,
    max_items: Annotated[
        int | None,
        typer.Option(
            "--max-items", "--max-users", min=1, help="Items to do; else as the job says."
        ),
    ] = None,
    dsn: Dsn = None,
) -> None:
    """Make schema and sample data, run a cycle, say what happened."""
    from etl import db, deploy
    from etl.cli.run import Manner, run_cycle
    from etl.cycle import CycleOptions
    from etl.deploy import grants

    shown, jobs = job_named(job), whole_jobs()
    look = shown.demo
    if look is None:
        raise UsageError(f"{shown.command} has no demo", f"Write {shown.folder / 'demo.sql'}.")
    database = target(dsn)
    as_of = day(None)
    with db.reached(), db.connect(database, "etl:demo") as connection:
        for file in deploy.pending(connection, jobs):
            deploy.apply(connection, file)
        grants.grant(connection, jobs)
        samples, others, told = db.one(connection, look)
        if others:
            raise UsageError(
                f"this database has data of {shown.command} that are no sample",
                "It leaves real data alone: set ETL_STATE_DIR to an empty folder, without --dsn.",
            )
        if not samples:
            say(f"etl: making sample data of size {scale:,}, a few seconds …")
            with connection.transaction():
                for statement in statements(shown.folder / "sample.sql"):
                    db.run(connection, statement, scale=scale, as_of=as_of)
            db.run(connection, shipped("demo/analyze"))
            _, _, told = db.one(connection, look)
    tell(told)
    limit = max_items or shown.max_items
    options = CycleOptions(
        as_of=as_of,
        limit=settings.ItemLimit(limit),
        workers=settings.worker_count(os.environ),
        reserved_percent=shown.reserved_percent,
    )
    has_limit = max_items is not None or shown.batches is None
    tell(f"Now: etl {shown.command}{f' --max-{shown.unit}s {limit}' if has_limit else ''}\n")
    status = run_cycle(shown, database.dsn, options, Manner())
    if status == SOME_FAILED:
        tell(f"\nSome {shown.unit}s of the sample are spoilt, to show what becomes of them.")
    _tell_next(shown.command)
    raise typer.Exit(0 if status == SOME_FAILED else status)


def _program() -> str:
    """What to type to call this program again."""
    if shutil.which("etl"):
        return "etl"
    called = Path(sys.argv[0])
    return "python -m etl" if called.name == "__main__.py" else os.path.relpath(called)


def _tell_next(job: str) -> None:
    program = _program()
    tell("\nWhat to type next:")
    for command, meaning in _NEXT:
        if job == _JOB or not command.startswith("load-notes"):
            tell(f"  {f'{program} {command.format(job=job)}':<48} {meaning}")
