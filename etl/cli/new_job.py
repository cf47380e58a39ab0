"""``etl new-job``: a folder of SQL to begin with."""

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from etl.cli.jobs import jobs_dir
from etl.cli.output import printable, tell

_JOBS = "jobs"


def new_job(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Such as customer-totals.")],
    table: Annotated[
        str | None,
        typer.Option(
            "--table",
            metavar="SCHEMA.TABLE",
            help="Your table, whose changes make items dirty. Else the job brings a sample.",
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            "--key", metavar="COLUMN", help="Its column that says which item a row belongs to."
        ),
    ] = None,
    unit: Annotated[
        str, typer.Option("--unit", metavar="WORD", help="What one item is, such as customer.")
    ] = "item",
    folder: Annotated[
        Path | None,
        typer.Option(
            "--dir",
            metavar="DIR",
            help="Folder of jobs to put it into. Else --jobs-dir, ETL_JOBS_DIR, ./jobs.",
        ),
    ] = None,
) -> None:
    """Write the folder of a new job, which works as it is. Refuses to overwrite anything.

    Triggers on the table mark what a change makes dirty; a cycle counts the rows of each
    dirty item into a result. Change what it computes, and in which order. No database is
    used; etl init brings the files into one.
    """
    from etl import scaffold

    commands = context.parent.command if context.parent else None
    taken = getattr(commands, "commands", {})
    known = scaffold.job_name(name, taken)
    source = scaffold.Source.named(table, key, known)
    named = jobs_dir() or (
        Path(os.environ["ETL_JOBS_DIR"]) if "ETL_JOBS_DIR" in os.environ else None
    )
    parent = folder or named or Path(_JOBS)
    written = scaffold.make(parent, known, source, unit)
    for path in written:
        tell(printable(f"wrote  {path}"))
    tell("next:")
    if named is None or parent.resolve() != named.resolve():
        tell(printable(f"  export ETL_JOBS_DIR={shlex.quote(str(parent.resolve()))}"))
    tell("  etl init")
    tell(f"  etl {known.replace('_', '-')}")
