"""``etl worker``: workers of this host in a cycle that another host runs."""

import os
from typing import Annotated, Any

import typer

from etl import folders, settings
from etl.cli.database import target
from etl.cli.exit_statuses import SOME_FAILED
from etl.cli.jobs import job_named
from etl.cli.options import Dsn, JobName, Json
from etl.cli.output import say, tell, to_json
from etl.model import CycleRecord


def worker(
    job: JobName,
    workers: Annotated[
        str | None,
        typer.Option(
            "--workers",
            metavar="N|auto",
            help="Worker processes; auto: more, as long as that brings more items a second. "
            "Else MAX_THREADS (processors), less one.",
        ),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Wait for the next cycle, until a signal comes.")
    ] = False,
    time_limit: Annotated[
        str | None,
        typer.Option(
            "--time-limit", metavar="DURATION", help="Claim nothing after that long, such as 15m."
        ),
    ] = None,
    json_output: Json = False,
    dsn: Dsn = None,
) -> None:
    """Take part in the running cycle of a job, whatever host runs it.

    The cycle must have been begun with --queue postgres, and the files of the job must be the
    same on both hosts. Where none runs, that is said, and all is well.
    """
    from etl import db
    from etl.cli.log import log_of
    from etl.cli.narrator import Narrator
    from etl.cycle import CrewOptions, HostCrew

    found = job_named(job)
    settings.host_timeout_s(os.environ)  # the workers use it: said before one is started
    count, most = settings.workers(workers, os.environ)
    options = CrewOptions(
        workers=count,
        most_workers=most,
        follows=follow,
        time_limit_s=settings.time_limit_s(time_limit, os.environ, None),
    )
    database = target(dsn)
    log = log_of(found, Narrator(found.unit).lines, is_json=False)
    crew = HostCrew(found, database, folders.state_path(os.environ), options, log)
    with db.reached():
        records = crew.run()
    if not records:
        say(f"etl: no cycle of {found.command} runs with --queue postgres")
    if json_output:
        cycles = [_as_object(record) for record in records]
        head = {"job": found.name, "workers": count, "stop_signal": crew.stop_signal}
        tell(to_json({**head, "cycles": cycles}))
    for record in () if json_output else records:
        counts = f"{record.failed} failed, {record.busy} busy, {record.orphaned} orphaned"
        tell(
            f"{found.title}: {record.done:,} done here in cycle {record.cycle_id}, {counts}, "
            f"in {record.duration_s:.1f} s"
        )
    if crew.stop_signal is not None:
        raise typer.Exit(128 + crew.stop_signal)
    if any(record.failed or record.orphaned for record in records):
        raise typer.Exit(SOME_FAILED)


def _as_object(record: CycleRecord) -> dict[str, Any]:
    names = ("cycle_id", "done", "failed", "busy", "orphaned")
    counts = {name: getattr(record, name) for name in names}
    return {**counts, "duration_s": round(record.duration_s, 3)}
