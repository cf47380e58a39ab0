"""The program: its commands, and how an error ends it."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from etl import __version__
from etl.cli import (
    bench,
    control,
    demo,
    doctor,
    explain,
    held,
    history,
    init,
    load,
    man,
    metrics,
    new_job,
    plan,
    psql,
    report,
    schedule,
    server,
    simulate,
    sql,
    status,
    verify,
    worker,
)
from etl.cli.exit_statuses import epilog
from etl.cli.jobs import job_paths
from etl.cli.output import prepare_standard_streams, say, tell
from etl.cli.run_job import add_jobs
from etl.errors import EtlError


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        tell(f"etl {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
    jobs_dir: Annotated[
        Path | None,
        typer.Option("--jobs-dir", metavar="DIR", help="More jobs. Else ETL_JOBS_DIR."),
    ] = None,
) -> None:
    """Keeps per-item results in PostgreSQL fresh, driven by plain SQL files."""


def build() -> typer.Typer:
    """The program with a command for each job."""
    app = typer.Typer(
        name="etl",
        no_args_is_help=True,
        context_settings={"max_content_width": 100, "color": False},
        epilog=epilog(),
        rich_markup_mode=None,  # plain help: quick, and for logs and pipes as well
        pretty_exceptions_enable=False,
        callback=_root,
    )
    commands: tuple[Callable[..., None], ...] = (
        *(init.init, load.load_notes, plan.plan, status.status, simulate.simulate),
        *(history.history, verify.command(), doctor.doctor, bench.bench, explain.explain),
        *(report.report, metrics.metrics),
        *(control.pause, control.resume, control.cancel, control.workers),
        *(worker.worker, demo.demo, new_job.new_job, psql.psql, man.man),
    )
    for command in commands:
        app.command(command.__name__.replace("_", "-"))(command)
    app.add_typer(sql.sql, name="sql")
    app.add_typer(held.held, name="held")
    app.add_typer(server.server, name="server")
    app.add_typer(schedule.schedule, name="schedule")
    add_jobs(app, job_paths())
    return app


def main() -> None:
    """Run the command line and end the process with the exit status of its outcome."""
    prepare_standard_streams()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)
    try:
        build()(prog_name="etl")
    except EtlError as error:
        if "_ETL_COMPLETE" not in os.environ:  # where the shell asks, it would spoil its prompt
            say(f"etl: {error.message}")
            if error.hint:
                say(f"     {error.hint}")
        sys.exit(error.exit_code)


def _end(number: int, _frame: FrameType | None) -> None:
    """Leave by an exception, so that open transactions are rolled back."""
    sys.exit(128 + number)
