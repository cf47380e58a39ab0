"""``etl report``: one page about a job and one of its cycles."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from etl.cli.options import Dsn, Json, job_named, target
from etl.cli.output import printable, tell, to_json
from etl.errors import UsageError


def report(
    job: Annotated[str, typer.Argument(help="The job, such as datamart-users.")],
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
    from etl import db, deploy, files
    from etl.report.gather import gather
    from etl.report.page import render

    is_stream = output is not None and str(output) == "-"
    if output is None and not json_output:
        raise UsageError("say where to write the page", "Give -o FILE, or -o - to print it.")
    if is_stream and json_output:
        raise UsageError("-o - and --json both print on standard output", "Give -o FILE.")
    found = job_named(job)
    database = target(dsn)
    purpose = f"etl:report {found.command}"
    with db.reached(), db.connect(database, purpose) as connection:
        deploy.require_current(connection)
        facts = gather(connection, found, database.label, cycles, cycle)
    if output is not None:
        page = render(facts, printable)
        if is_stream:
            tell(page, end="")
        else:
            files.replace(output, page.encode(), "Name another file with -o.")
    if json_output:
        tell(to_json(asdict(facts)))
    elif not is_stream:
        tell(printable(f"{output}: {facts.verdict.sentence}"))
