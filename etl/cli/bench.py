"""``etl bench``: how fast is a job on this database, and what limits it?"""

import os
from typing import Annotated

import typer

from etl import folders, settings
from etl.cli.database import target
from etl.cli.jobs import job_named
from etl.cli.options import AsOf, Dsn, JobName, Json, day
from etl.cli.output import say, tell, to_json

_MOST_WORKERS = 8


def bench(
    job: JobName,
    items: Annotated[
        int,
        typer.Option(
            "--items", min=1, max=settings.LARGEST, help="How many items, the first in order."
        ),
    ] = 500,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=1,
            max=1000,
            help=f"With 1, 2, 4, … up to this many. Else the processors, {_MOST_WORKERS} at most.",
        ),
    ] = None,
    time_limit: Annotated[
        str,
        typer.Option(
            "--time-limit", metavar="DURATION", help="How long it may take, such as 90s or 15m."
        ),
    ] = "60s",
    as_of: AsOf = None,
    json_output: Json = False,
    dsn: Dsn = None,
) -> None:
    """Measure a job on your own database without changing it: all it does is rolled back.

    It tells what the listing costs and reads, what the engine adds to each item, how well
    workers share the work, and which resource is the limit.
    """
    from etl import db
    from etl.bench.measure import Bench, BenchOptions
    from etl.cli.bench_text import as_object, as_text

    found = job_named(job)
    options = BenchOptions(
        as_of=day(as_of),
        items=items,
        workers=workers or min(settings.processors(), _MOST_WORKERS),
        time_limit_s=settings.duration_s("--time-limit", time_limit),
    )
    database = target(dsn)
    say(
        f"etl: measuring {found.command} with up to {items:,} {found.unit}s, "
        f"{time_limit} at most; all of it is rolled back"
    )
    with db.reached():
        report = Bench(found, database, folders.state_path(os.environ), options).run()
    tell(to_json(as_object(report)) if json_output else as_text(report, found))
    has_failed = report.tally.failed or any(run.tally.failed for run in report.runs)
    raise typer.Exit(1 if has_failed else 0)
