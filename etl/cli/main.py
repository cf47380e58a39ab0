"""The program: its commands, and how an error ends it."""

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

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
    app.command("init")(init.init)
    app.add_typer(sql.sql, name="sql")
    app.command("load-notes")(load.load_notes)
    app.command("plan")(plan.plan)
    app.command("status")(status.status)
    app.command("simulate")(simulate.simulate)
    app.command("history")(history.history)
    app.command("verify")(verify.command())
    app.command("doctor")(doctor.doctor)
    app.command("bench")(bench.bench)
    app.command("explain")(explain.explain)
    app.command("report")(report.report)
    app.command("metrics")(metrics.metrics)
    app.add_typer(held.held, name="held")
    app.command("pause")(control.pause)
    app.command("resume")(control.resume)
    app.command("cancel")(control.cancel)
    app.command("workers")(control.workers)
    app.add_typer(server.server, name="server")
    app.command("worker")(worker.worker)
    app.command("demo")(demo.demo)
    app.command("new-job")(new_job.new_job)
    app.command("psql")(psql.psql)
    app.command("man")(man.man)
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
        if "_ETL_COMPLETE" in os.environ:  # the shell asks: a message would spoil its prompt
            sys.exit(error.exit_code)
        _end_with(error)


def _end_with(error: EtlError) -> NoReturn:
    say(f"etl: {error.message}")
    if error.hint:
        say(f"     {error.hint}")
    sys.exit(error.exit_code)


def _end(number: int, _frame: FrameType | None) -> None:
    """Leave by an exception, so that open transactions are rolled back."""
    sys.exit(128 + number)
