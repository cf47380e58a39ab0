"""``etl report``: one page about a job and one of its cycles."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from etl.cli.database import target
from etl.cli.jobs import job_named
from etl.cli.options import Dsn, JobName, Json
from etl.cli.output import printable, tell, to_json
from etl.errors import UsageError


def report(
    job: JobName,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Where to write the page; - for standard output."
        ),
    ] = None,
    cycles: Annotated[
        int,
        typer.Option(
            "--cycles", metavar="N", min=1, max=1000, help="Tell the last N cycles up to it."
        ),
    ] = 30,
    cycle: Annotated[
        int | None,
        typer.Option(
            "--cycle", metavar="ID", min=1, max=2**63 - 1, help="The cycle. Else the job's latest."
        ),
    ] = None,
    json_output: Json = False,
    dsn: Dsn = None,
) -> None:
    """Write one HTML page about a job: who worked when, backlog, freshness, costs, failures.

    The page needs nothing but itself: no network, no script. --json prints what it tells. Only
    the ledger is read.
    """
    from etl import db, deploy
    from etl.report import file
    from etl.report.gather import ReportOptions, gather
    from etl.report.page import render
    from etl.report.plain import plain

    is_stream = output is not None and str(output) == "-"
    if output is None and not json_output:
        raise UsageError("say where to write the page", "Give -o FILE, or -o - to print it.")
    if is_stream and json_output:
        raise UsageError("-o - and --json both print on standard output", "Give -o FILE.")
    found = job_named(job)
    options = ReportOptions(cycles, cycle, goals=found.freshness_goals, now=datetime.now(UTC))
    database = target(dsn)
    purpose = f"etl:report {found.command}"
    with db.reached(), db.connect(database, purpose) as connection:
        deploy.require_current(connection)
        facts = gather(connection, found, database.label, options)
    if output is not None:
        page = render(facts, printable)
        if is_stream:
            tell(page, end="")
        else:
            file.replace(output, page)
    if json_output:
        tell(to_json(plain(facts)))
    elif not is_stream:
        tell(printable(f"{output}: {facts.verdict.sentence}"))
