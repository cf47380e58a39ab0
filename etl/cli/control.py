"""``etl pause``, ``resume``, ``cancel`` and ``workers``: a say in cycles that run elsewhere."""

from typing import TYPE_CHECKING, Annotated

import typer

from etl import settings
from etl.cli.database import connected
from etl.cli.jobs import job_named
from etl.cli.options import Dsn, JobName, Json
from etl.cli.output import tell, to_json
from etl.cli.words import counted, moment
from etl.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from etl.job import Job

_LONGEST_REASON = 200


def pause(
    job: JobName,
    duration: Annotated[
        str | None,
        typer.Option("--for", metavar="DURATION", help="Such as 30m; else until it is resumed."),
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Told to whoever asks.")
    ] = None,
    json_output: Json = False,
    dsn: Dsn = None,
) -> None:
    """Let the cycles of a job claim nothing for now, on whatever host they run.

    A running one finishes the items in hand and waits; one that begins meanwhile ends at once.
    """
    from etl.ledger import control

    seconds = None if duration is None else settings.duration_s("--for", duration)
    if reason is not None and not (reason.isprintable() and 0 < len(reason) <= _LONGEST_REASON):
        problem = f"--reason must be one line of at most {_LONGEST_REASON} characters"
        raise UsageError(problem, "Say it in a few words.")
    found = job_named(job)
    with connected(dsn, "pause", found) as connection:
        until = control.pause(connection, found.name, seconds, reason)
        cycle = control.running_cycle(connection, found)
    when = f"until {moment(until)}" if until is not None else "until it is resumed"
    _tell(found, f"paused {when}", cycle, is_json=json_output, until=until)


def resume(job: JobName, json_output: Json = False, dsn: Dsn = None) -> None:
    """Let the cycles of a paused job claim again."""
    from etl.ledger import control

    found = job_named(job)
    with connected(dsn, "resume", found) as connection:
        was_paused = control.resume(connection, found.name)
        cycle = control.running_cycle(connection, found)
    _tell(found, "resumed" if was_paused else "was not paused", cycle, is_json=json_output)


def cancel(
    job: JobName,
    now: Annotated[bool, typer.Option("--now", help="Cancel the running statements, too.")] = False,
    json_output: Json = False,
    dsn: Dsn = None,
) -> None:
    """End the running cycle of a job: it finishes the items in hand and leaves the rest."""
    from etl.ledger import control

    found = job_named(job)
    with connected(dsn, "cancel", found) as connection:
        cycle = control.running_cycle(connection, found)
        if cycle is not None:
            control.cancel(connection, found.name, cycle, cancels_running=now)
    _tell(found, "is being cancelled" if cycle else "nothing to cancel", cycle, is_json=json_output)


def workers(
    job: JobName,
    number: Annotated[
        int, typer.Argument(metavar="N", min=1, max=settings.MOST_WORKERS, help="So many.")
    ],
    json_output: Json = False,
    dsn: Dsn = None,
) -> None:
    """Give the running cycle of a job another number of workers."""
    from etl.ledger import control

    found = job_named(job)
    with connected(dsn, "workers", found) as connection:
        cycle = control.running_cycle(connection, found)
        if cycle is not None:
            control.resize(connection, found.name, cycle, number)
    what = f"will have {counted(number, 'worker')}" if cycle else "nothing to change"
    _tell(found, what, cycle, is_json=json_output)


def _tell(
    job: "Job", what: str, cycle: int | None, *, is_json: bool, until: "datetime | None" = None
) -> None:
    if is_json:
        tell(to_json({"job": job.name, "result": what, "cycle_id": cycle, "paused_until": until}))
        return
    runs = f"cycle {cycle} heeds it within about a second" if cycle else "no cycle runs now"
    tell(f"{job.title}: {what}; {runs}")
