"""Options that several commands share."""

import math
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal

import typer

from etl.cli.jobs import job_names
from etl.errors import UsageError
from etl.settings import LARGEST

JobName = Annotated[
    str, typer.Argument(help="The job, such as datamart-users.", autocompletion=job_names)
]
AnyJob = Annotated[
    str | None,
    typer.Argument(
        help="The job, such as datamart-users; without it, all jobs.", autocompletion=job_names
    ),
]
Dsn = Annotated[
    str | None,
    typer.Option(
        "--dsn",
        metavar="DSN",
        help="Database to use. Else ETL_DSN, else libpq's PG* variables, else the embedded server.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
LogFormat = Literal["text", "json"]
MaxItems = Annotated[
    int | None,
    typer.Option("--max-items", min=1, max=LARGEST, help="Item limit, as of the job's command."),
]
Workers = Annotated[
    str | None, typer.Option("--workers", metavar="N|auto", help="As of the job's command.")
]
TimeLimit = Annotated[
    str | None, typer.Option("--time-limit", metavar="DURATION", help="As of the job's command.")
]
ReservedPercent = Annotated[
    int | None,
    typer.Option("--reserved-percent", min=0, max=99, help="As of the job's command."),
]
AsOf = Annotated[
    datetime | None,
    typer.Option(
        "--as-of", formats=["%Y-%m-%d"], metavar="DATE", help="The day that counts as today, UTC."
    ),
]


def finite(value: float | None) -> float | None:
    """Let a number pass that is one: no range of an option keeps "nan" out."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is no number.")
    return value


def day(as_of: datetime | None, *, may_be_future: bool = True) -> date:
    """The day that counts as today.

    Args:
        as_of: What the user said.
        may_be_future: False where rows are written as of this day: those of a day to come
            would be wrong until it comes, and nothing would list them.

    Raises:
        UsageError: It lies in the future and may not.
    """
    today = datetime.now(UTC).date()
    if as_of is None:
        return today
    if as_of.date() > today + timedelta(days=1) and not may_be_future:
        raise UsageError(
            f"--as-of {as_of:%F} lies in the future", "Give a day up to tomorrow, or --dry-run."
        )
    return as_of.date()


def utf_8(given: Any) -> Any:
    """Let a key, or keys, of items pass that are any text.

    Raises:
        UsageError: One came as bytes that are not UTF-8; every key is.
    """
    for key in [given] if isinstance(given, str) else given or ():
        try:
            key.encode()
        except UnicodeEncodeError as error:
            problem = f"the key {key!a} is not UTF-8"
            raise UsageError(problem, "Give it as the job lists it.") from error
    return given
