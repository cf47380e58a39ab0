"""``etl explain``: what does a job read, and what would make it cheaper?"""

import os
from typing import Annotated

import typer

from etl import settings
from etl.cli.database import connected
from etl.cli.jobs import job_named
from etl.cli.options import AsOf, Dsn, JobName, Json, day, utf_8
from etl.cli.output import tell, to_json


def explain(
    job: JobName,
    item: Annotated[
        str | None,
        typer.Option(
            "--item",
            metavar="KEY",
            callback=utf_8,
            help="Explain the statement of this item. Else of the first in order.",
        ),
    ] = None,
    as_of: AsOf = None,
    json_output: Json = False,
    dsn: Dsn = None,
) -> None:
    """Say in words what a job's statements read, and what would make them cheaper.

    The listing is run, one item is processed, and all of it is rolled back. Each finding comes
    with the command to paste; where the extension hypopg is installed, indexes are tried first.
    """
    from etl.cli.explain_text import as_object, as_text
    from etl.explain.explanation import explain as explained

    found = job_named(job)
    limit = settings.ItemLimit.read(None, os.environ, found.unit, found.max_items)
    limits = {
        "max_items": limit.max_items,
        "reserved_percent": settings.reserved_percent(None, os.environ, found.reserved_percent),
    }
    with connected(dsn, f"explain {found.command}") as connection:
        explanation = explained(connection, found, day(as_of), limits, item)
    tell(to_json(as_object(explanation)) if json_output else as_text(explanation, found))
    raise typer.Exit(1 if explanation.has_failed else 0)
