"""``etl schedule``: what cron, systemd and logrotate need to know of a job."""

import getpass
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etl import folders
from etl.cli.jobs import job_named, jobs_dir
from etl.cli.options import JobName
from etl.cli.output import say, tell
from etl.errors import UsageError
from etl.job import Job
from etl.trust import is_open_to_all

if TYPE_CHECKING:
    from etl.schedule import ScheduledRun

schedule = typer.Typer(
    no_args_is_help=True, help="Have a job run again and again: cron, systemd, logrotate."
)
_ANY_OPTIONS = {"allow_extra_args": True, "ignore_unknown_options": True}

_Options = Annotated[
    list[str] | None,
    typer.Argument(metavar="[OPTION]...", help="Options of the job, such as --max-users 500."),
]
_Interval = Annotated[
    str | None, typer.Option("--every", metavar="DURATION", help="Such as 15m, 2h. Default: 15m.")
]
_At = Annotated[
    str | None,
    typer.Option("--at", metavar="HH:MM", help="Once a day, by the clock of this machine."),
]
_EnvironmentFile = Annotated[
    Path | None,
    typer.Option(
        "--environment",
        metavar="FILE",
        help="Settings such as ETL_DSN, a NAME=value a line; nobody else should read it.",
    ),
]
_Log = Annotated[Path | None, typer.Option("--log", metavar="FILE", help="Where its output goes.")]


@schedule.command("cron", context_settings=_ANY_OPTIONS)
def cron(
    context: typer.Context,
    job: JobName,
    options: _Options = None,
    every: _Interval = None,
    at: _At = None,
    environment: _EnvironmentFile = None,
    log: _Log = None,
) -> None:
    """Print the line for 'crontab -e'. Its log is in the state folder unless --log says where.

    A run that meets another cycle of the job ends at once, with 75: flock is not needed.
    """
    from etl.schedule import cron as engine
    from etl.schedule import when

    found = job_named(job)
    moment = when.read(every, at)
    run = _run(context, found, options or [], environment, log or _default_log(found))
    tell(engine.line(run, moment))
    _advise(run)


@schedule.command("systemd", context_settings=_ANY_OPTIONS)
def systemd(
    context: typer.Context,
    job: JobName,
    options: _Options = None,
    every: _Interval = None,
    at: _At = None,
    environment: _EnvironmentFile = None,
    log: _Log = None,
    system: Annotated[
        bool,
        typer.Option("--system", help="For /etc/systemd/system, to run as whoever calls this."),
    ] = False,
    install: Annotated[
        bool, typer.Option("--install", help="Write them for systemd --user and start the timer.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="With --install: replace files that differ.")
    ] = False,
) -> None:
    """Print a service and its timer, each under the path it belongs to.

    Output goes to the journal unless --log says where.
    """
    from etl.schedule import systemd as engine
    from etl.schedule import when

    if system and install:
        raise UsageError(
            "--install is for systemd --user", "Print the units of the system, and copy them."
        )
    found = job_named(job)
    run = _run(context, found, options or [], environment, log)
    user = getpass.getuser() if system else None
    texts = engine.units(run, when.read(every, at), user)
    folder = Path("/etc/systemd/system") if system else engine.user_folder(os.environ)
    if install:
        changed = engine.install(texts, folder, may_overwrite=force)
        for path in changed:
            tell(f"wrote  {path}")
        tell(f"started  etl-{found.command}.timer")
        say("etl: it runs while you are logged in; 'loginctl enable-linger' makes that always")
    else:
        tell("\n".join(f"# {folder / name}\n{text}" for name, text in texts.items()), end="")
    _advise(run)


@schedule.command("logrotate")
def logrotate(job: JobName, log: _Log = None) -> None:
    """Print what belongs into /etc/logrotate.d for the log of a job that cron runs."""
    from etl.schedule import cron as engine

    tell(engine.rotation((log or _default_log(job_named(job))).absolute()))


def _default_log(job: Job) -> Path:
    return folders.state_path(os.environ) / f"{job.command}.log"


def _run(
    context: typer.Context,
    job: Job,
    options: list[str],
    environment_file: Path | None,
    log: Path | None,
) -> "ScheduledRun":
    from etl.db import named_target
    from etl.schedule import ScheduledRun

    arguments = [*options, *context.args]
    _check(context, job, arguments)
    is_dsn_given = any(word.partition("=")[0] == "--dsn" for word in arguments)
    is_named = is_dsn_given or environment_file is not None
    return ScheduledRun(
        job=job.command,
        title=job.title,
        program=_program(),
        arguments=(job.command, *arguments),
        environment=_kept(job),
        environment_file=environment_file.absolute() if environment_file else None,
        log=log.absolute() if log else None,
        is_server_started=not is_named and named_target(None, os.environ) is None,
    )


def _check(context: typer.Context, job: Job, arguments: list[str]) -> None:
    """Read the options of the job now, rather than tonight.

    Raises:
        UsageError: They hold a password.
        click.UsageError: The job does not know one of them.
    """
    from etl.dsn import has_password

    root = context.find_root()
    command = getattr(root.command, "commands", {})[job.command]
    given = command.make_context(job.command, list(arguments), parent=root).params
    if given.get("dsn") and has_password(str(given["dsn"])):
        raise UsageError(
            "a password in --dsn could be read by everybody on this machine",
            "Put ETL_DSN into a file that only you can read, and name it by --environment.",
        )


def _program() -> tuple[str, ...]:
    """What starts this program again, from any folder."""
    called = Path(sys.argv[0]).absolute()
    if called.name == "etl" and os.access(called, os.X_OK):
        return (str(called),)
    return (sys.executable, "-m", "etl")


def _kept(job: Job) -> dict[str, str]:
    """Those settings of this environment without which the run would be another one."""
    kept: dict[str, str] = {}
    if os.environ.get("ETL_STATE_DIR") or os.environ.get("XDG_STATE_HOME"):
        kept["ETL_STATE_DIR"] = str(folders.state_path(os.environ))
    if job.folder.parent != folders.sql_folder() / "jobs":
        folder = jobs_dir() or Path(os.environ["ETL_JOBS_DIR"])
        kept["ETL_JOBS_DIR"] = str(folder.absolute())
    return kept


def _advise(run: "ScheduledRun") -> None:
    """Say what the schedule lacks."""
    file = run.environment_file
    if file is None:
        unset = [name for name in os.environ if name == "ETL_DSN" or name.startswith("PG")]
        if unset:
            names = ", ".join(sorted(unset))
            say(f"etl: {names}: set here, not there; put it into a file for --environment")
    elif not file.exists():
        say(f"etl: {file} does not exist yet")
    elif is_open_to_all(file) or file.stat().st_mode & 0o004:
        say(f"etl: everybody can read {file}, which may hold a password: chmod o= '{file}'")
    if run.log is not None and not run.log.parent.is_dir():
        say(f"etl: the folder {run.log.parent} does not exist yet")
