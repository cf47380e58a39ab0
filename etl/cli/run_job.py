"""The command of a job: one cycle."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from etl import job as jobs
from etl import settings
from etl.cli.detach import detach
from etl.cli.job_options import add_options, batch_size, in_scope
from etl.cli.options import AsOf, Dsn, Json, LogFormat, day, utf_8
from etl.cli.output import printable
from etl.cli.stream import stream_commands
from etl.errors import FileError
from etl.job import Job


def add_jobs(app: typer.Typer, paths: list[Path]) -> None:
    """Add a command for each job. That of a broken folder says what is broken."""
    taken = {command.name for command in app.registered_commands}
    taken |= {group.name for group in app.registered_groups}
    for path in paths:
        name = printable(jobs.command_name(path))
        if name in taken:
            problem = FileError(path, None, f"'{name}' is a command of etl", "Rename the job.")
            name += "-job"
            app.command(name, help="(broken)")(_broken(problem))
            continue
        try:
            job = jobs.load(path)
        except FileError as problem:
            app.command(name, help=printable(f"(broken: {problem.message})"))(_broken(problem))
        else:
            if job.stream is None:
                app.command(name, help=printable(job.summary))(_command(job))
            else:
                app.add_typer(stream_commands(job, job.stream), name=name)


def _broken(problem: FileError) -> Callable[[], None]:
    def command() -> None:
        raise problem

    return command


def _command(job: Job) -> Callable[..., None]:
    unit = job.unit

    def command(
        max_items: Annotated[
            int | None,
            typer.Option(
                f"--max-{unit}s",
                min=1,
                max=settings.LARGEST,
                help=f"How many {unit}s at most. Else MAX_{unit.upper()}S_PER_CYCLE, "
                f"else {job.max_items}; more while CATCHUP_THRESHOLD is exceeded.",
            ),
        ] = None,
        only: Annotated[
            str | None,
            typer.Option(
                f"--{unit}",
                "--only",
                metavar="KEY",
                callback=utf_8,
                help=f"Just this {unit}, dirty or not.",
            ),
        ] = None,
        workers: Annotated[
            str | None,
            typer.Option(
                "--workers",
                metavar="N|auto",
                help="Worker processes; auto: as many as bring something, found out by trying. "
                "Else MAX_THREADS (processors) less one.",
            ),
        ] = None,
        time_limit: Annotated[
            str | None,
            typer.Option(
                "--time-limit",
                metavar="DURATION",
                help="Claim nothing after that long, such as 90s or 15m. Else CYCLE_TIME_LIMIT.",
            ),
        ] = None,
        reserved_percent: Annotated[
            int | None,
            typer.Option(
                "--reserved-percent",
                min=0,
                max=99,
                help=f"Share for the {unit}s that have been dirty longest. Else RESERVED_PERCENT, "
                f"else {job.reserved_percent}.",
            ),
        ] = None,
        as_of: AsOf = None,
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="Say what would be done; write nothing at all.")
        ] = False,
        log_format: Annotated[
            LogFormat | None,
            typer.Option("--log-format", help="Log lines on standard error, also on a terminal."),
        ] = None,
        wait: Annotated[
            bool | None,
            typer.Option(
                "--wait/--detach",
                help="Where a cycle of this job runs, begin after it; or go on in the background. "
                "Else WAIT (true, false), else neither.",
            ),
        ] = None,
        queue: Annotated[
            Literal["file", "postgres"] | None,
            typer.Option(
                "--queue",
                help="Freeze the order in a file, or in a table that workers on any host share "
                "(etl worker). Else QUEUE, else file.",
            ),
        ] = None,
        json_output: Json = False,
        dsn: Dsn = None,
        **own: Any,
    ) -> None:
        from etl.cli.run import Manner, run_cycle
        from etl.cycle import CycleOptions

        settings.host_timeout_s(os.environ)  # the workers use it: said before a cycle begins
        count, most = settings.workers(workers, os.environ)
        options = CycleOptions(
            as_of=day(as_of, may_be_future=dry_run),
            limit=settings.ItemLimit.read(max_items, os.environ, unit, job.max_items),
            workers=count,
            most_workers=most,
            reserved_percent=settings.reserved_percent(
                reserved_percent, os.environ, job.reserved_percent
            ),
            time_limit_s=settings.time_limit_s(time_limit, os.environ, job.time_limit_s),
            only_key=only if job.batches is None else None,
            is_dry_run=dry_run,
            begins_again=own.get("again", False) or (only is not None and job.batches is not None),
            batch_size=batch_size(own),
            queue=settings.queue_kind(queue, os.environ),
        )
        wanted = in_scope(job, only, own)
        stays = settings.yes_or_no("WAIT", os.environ) if wait is None else wait
        if stays is False and not dry_run:
            detach(job)
            return
        verifies = own.get("verify") or settings.yes_or_no("VERIFY", os.environ) or False
        manner = Manner(log_format, json_output, stays or False, verifies and job.has_verify)
        raise typer.Exit(run_cycle(wanted, dsn, options, manner))

    add_options(command, job)
    return command
