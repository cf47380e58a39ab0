"""The command of a job: one cycle."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer

from etl import job as jobs
from etl import settings
from etl.cli.display import Display, LogLines
from etl.cli.narrator import Narrator
from etl.cli.options import AsOf, Dsn, Json, check_key, day, target
from etl.cli.output import is_on_terminal, printable, say, tell, to_json
from etl.cli.render import as_json, summary
from etl.cycle import Cycle, CycleOptions
from etl.errors import DatabaseUnreachableError, EtlError, FileError
from etl.job import Job
from etl.model import CycleRecord

LogFormat = Literal["text", "json"]
_FAILED, _QUARANTINED = 1, 3


def add_jobs(app: typer.Typer, paths: list[Path]) -> None:
    """Add a command for each job. That of a broken folder says what is broken."""
    taken = {command.name for command in app.registered_commands}
    taken |= {group.name for group in app.registered_groups}
    for path in paths:
        name = printable(jobs.command_name(path))
        if name in taken:
            problem = FileError(path, None, f"'{name}' is a command of etl", "Rename the job.")
            name += "-job"
            app.command(name, rich_help_panel="Jobs", help="(broken)")(_broken(problem))
            continue
        try:
            job = jobs.load(path)
        except FileError as problem:
            app.command(
                name, rich_help_panel="Jobs", help=_for_help(f"(broken: {problem.message})")
            )(_broken(problem))
        else:
            app.command(name, rich_help_panel="Jobs", help=_for_help(job.summary))(_command(job))


def exit_status(record: CycleRecord) -> int:
    """How a process ends after a cycle with this record."""
    if record.stop_signal is not None:
        return 128 + record.stop_signal
    if record.failed or record.orphaned:
        return _FAILED
    return _QUARANTINED if record.quarantined else 0


def run_cycle(
    job: Job, dsn: str | None, options: CycleOptions, log_format: LogFormat | None, is_json: bool
) -> CycleRecord:
    """Run one cycle and print how it went."""
    narrator = Narrator(job.unit)
    display: Display | LogLines
    if is_on_terminal() and log_format is None:
        display = Display(narrator)
    else:
        display = LogLines(job, narrator, is_json=log_format == "json")
    state = settings.state_path(os.environ)
    database = target(dsn)
    cycle = Cycle(job, database, state, options, display)
    with display:
        try:
            record = cycle.run()
        except EtlError as error:
            if is_json and cycle.record.cycle_id is not None:
                tell(to_json(as_json(cycle.record)))
            stop_signal = cycle.record.stop_signal
            if isinstance(error, DatabaseUnreachableError) and stop_signal is not None:
                say(f"etl: {error.message}; the next cycle closes the record of this one")
                raise typer.Exit(128 + stop_signal) from None
            raise
    if is_json:
        tell(to_json(as_json(record)))
    else:
        tell(summary(record, job.title, job.unit))
    return record


def _for_help(text: str) -> str:
    """A text of a job's folder, for a program that takes brackets for markup."""
    from rich.markup import escape  # only --help needs it

    return escape(printable(text)) if "[" in text else printable(text)


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
            typer.Option(f"--{unit}", metavar="KEY", help=f"Just this {unit}, dirty or not."),
        ] = None,
        workers: Annotated[
            int | None,
            typer.Option(
                "--workers", min=1, help="Worker processes. Else MAX_THREADS (processors) less one."
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
        json_output: Json = False,
        dsn: Dsn = None,
    ) -> None:
        if only is not None:
            check_key(only)
        options = CycleOptions(
            as_of=day(as_of, may_be_future=dry_run),
            limit=settings.ItemLimit.read(max_items, os.environ, unit, job.max_items),
            workers=settings.worker_count(workers, os.environ),
            reserved_percent=settings.reserved_percent(
                reserved_percent, os.environ, job.reserved_percent
            ),
            time_limit_s=settings.time_limit_s(time_limit, os.environ, job.time_limit_s),
            only_key=only,
            is_dry_run=dry_run,
        )
        record = run_cycle(job, dsn, options, log_format, json_output)
        raise typer.Exit(exit_status(record))

    return command
