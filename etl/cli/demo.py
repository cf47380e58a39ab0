"""``etl demo``: the whole of it on sample data, for somebody who sees it for the first time."""

import os
import shutil
import sys
from typing import Annotated

import typer

from etl import settings
from etl.cli.options import Dsn, day, job_named, target, whole_jobs
from etl.cli.output import say, tell
from etl.errors import UsageError
from etl.sqlfile import shipped, statements

_JOB = "datamart-users"
_NEXT = (
    ("datamart-users --max-users 500", "the next 500 users, as cron does it"),
    ("datamart-users --dry-run", "what the next cycle would do"),
    ("verify datamart-users", "is every row right?"),
    ("load-notes FILE.csv.gz", "load real notes"),
    ("server psql", "look around: SELECT * FROM etl.progress;"),
    ("server stop", "when you are done"),
)


def demo(
    scale: Annotated[int, typer.Option("--scale", min=10, help="Number of sample users.")] = 20000,
    max_users: Annotated[int, typer.Option("--max-users", min=1, help="Users to refresh.")] = 1000,
    dsn: Dsn = None,
) -> None:
    """Make schema and sample data, refresh the most urgent users, say what happened."""
    from etl import db, deploy, grants
    from etl.cli.run import Manner, run_cycle
    from etl.cycle import CycleOptions

    database = target(dsn)
    job, jobs = job_named(_JOB), whole_jobs()
    as_of = day(None)
    with db.reached(), db.connect(database, "etl:demo") as connection:
        for file in deploy.pending(connection, jobs):
            deploy.apply(connection, file)
        grants.grant(connection, jobs)
        users, samples = db.one(connection, shipped("demo/warehouse_size"))
        if users and users != samples:
            raise UsageError(
                f"this database has {users:,} users that are no sample data",
                "It leaves real data alone: set ETL_STATE_DIR to an empty folder, without --dsn.",
            )
        if not users:
            say(f"etl: making sample data of {scale:,} users, a few seconds …")
            with connection.transaction():
                for statement in statements(job.folder / "sample.sql"):
                    db.run(connection, statement, scale=scale, as_of=as_of)
            db.run(connection, shipped("demo/analyze"))
        users, _ = db.one(connection, shipped("demo/warehouse_size"))
        (facts,) = db.one(connection, shipped("demo/count_facts"))
    tell(f"The warehouse has {users:,} users and {facts:,} facts.")
    options = CycleOptions(
        as_of=as_of,
        limit=settings.ItemLimit(max_users),
        workers=settings.worker_count(os.environ),
        reserved_percent=job.reserved_percent,
    )
    tell(f"Now: etl {_JOB} --max-users {max_users}\n")
    manner = Manner(log_format=None, is_json=False, waits=False, verifies=False)
    status = run_cycle(job, database.dsn, options, manner)
    program = "etl" if shutil.which("etl") else os.path.relpath(sys.argv[0])
    tell("\nWhat to type next:")
    for command, meaning in _NEXT:
        tell(f"  {f'{program} {command}':<48} {meaning}")
    raise typer.Exit(status)
