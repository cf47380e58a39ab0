"""Options that several commands share, and what they are turned into."""

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etl import folders, job
from etl.cli.output import say
from etl.errors import FileError, SchemaError, UsageError
from etl.job import Job

# psycopg takes longer to load than all the rest: whatever needs it is loaded by the command
# that runs, so that --help and mistakes in the command line are answered at once.
if TYPE_CHECKING:
    from etl.db import Connection, Target
    from etl.embedded import EmbeddedServer


def job_names(incomplete: str) -> list[str]:
    """The jobs whose names begin so, for the completion of a command line."""
    names = [job.command_name(path) for path in job_paths()]
    return [name for name in names if name.startswith(incomplete)]


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
AsOf = Annotated[
    datetime | None,
    typer.Option(
        "--as-of", formats=["%Y-%m-%d"], metavar="DATE", help="The day that counts as today, UTC."
    ),
]


def embedded_server() -> "EmbeddedServer":
    """The server of this user's state folder."""
    from etl.embedded import EmbeddedServer

    return EmbeddedServer.of(folders.state_path(os.environ), os.environ)


def target(dsn: str | None) -> "Target":
    """The database to use; starts the embedded server where nothing names another."""
    from etl import db
    from etl.dsn import has_password

    named = db.named_target(dsn, os.environ)
    if named is not None:
        if dsn and has_password(dsn):
            say("etl: a password in --dsn can be read in the process list; ETL_DSN is safer")
        return named
    server = embedded_server()
    started = server.start()
    say(f"etl: using {server.target.label}{' (just started)' if started else ''}")
    return server.target


@contextmanager
def connected(dsn: str | None, purpose: str) -> "Generator[Connection]":
    """A connection for a command that is no cycle."""
    from etl import db

    with db.reached(), db.connect(target(dsn), f"etl:{purpose}") as connection:
        yield connection


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


def check_key(key: str) -> None:
    """Let any text pass as the key of an item.

    Raises:
        UsageError: It came as bytes that are not UTF-8; every key is.
    """
    try:
        key.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"the key {key!a} is not UTF-8", "Give it as the job lists it.") from error


def jobs_dir() -> Path | None:
    """The folder that ``--jobs-dir`` names, wherever it stands: jobs are commands, so it has
    to be known before the command line can be read."""
    arguments = sys.argv[1:]
    for place, argument in enumerate(arguments):
        if argument == "--jobs-dir" and place + 1 < len(arguments):
            return Path(arguments[place + 1])
        if argument.startswith("--jobs-dir="):
            return Path(argument.partition("=")[2])
    return None


def job_paths() -> list[Path]:
    """The folders of all jobs, whole or broken."""
    return job.job_paths(folders.job_folders(jobs_dir(), os.environ))


def whole_jobs() -> list[Job]:
    """The jobs whose folders can be read; about each of the others one line is said."""
    from etl import deploy

    found: list[Job] = []
    for path in job_paths():
        try:
            whole = job.load(path)
            deploy.check_files(whole)
        except FileError as error:
            say(f"etl: left out: {error.message}")
        else:
            found.append(whole)
    return found


def job_folder(name: str) -> Path:
    """The folder of the job with this name, whole or broken.

    Raises:
        UsageError: There is none.
    """
    paths = {job.command_name(path): path for path in job_paths()}
    path = paths.get(name.replace("_", "-"))
    if path is None:
        raise UsageError(f"there is no job {name}", f"Jobs are: {', '.join(paths)}.")
    return path


def job_named(name: str, *, may_be_stream: bool = False) -> Job:
    """The job with this name.

    Args:
        name: Its name.
        may_be_stream: Whether a job without cycles, whose items are messages, will do.

    Raises:
        UsageError: There is none, or it will not do.
        FileError: Its folder is broken.
    """
    found = job.load(job_folder(name))
    if found.stream is not None and not may_be_stream:
        raise UsageError(
            f"{found.command} takes messages from a queue: it has no cycles",
            f"See 'etl {found.command} --help' and 'etl {found.command} health'.",
        )
    return found


def jobs_with_cycles() -> list[Job]:
    """The jobs whose folders can be read, but those that take messages from a queue."""
    return [found for found in whole_jobs() if found.stream is None]


def deployed_jobs(connection: "Connection", name: str | None) -> list[Job]:
    """The job with this name, or all that this database has; about others one line is said.

    Raises:
        UsageError: There is no such job.
        SchemaError: The named one is not deployed, or not as its files are.
    """
    from etl import deploy

    if name is not None:
        named = job_named(name)
        deploy.require_current(connection, named)
        return [named]
    deploy.require_current(connection)
    found: list[Job] = []
    for whole in jobs_with_cycles():
        try:
            deploy.require_current(connection, whole)
        except SchemaError as error:
            say(f"etl: left out: {error.message}")
        else:
            found.append(whole)
    return found


def units() -> list[str]:
    """What the jobs call an item, each name once; those of broken jobs are left out."""
    found: dict[str, None] = {}
    for path in job_paths():
        with suppress(FileError):
            found[job.load(path).unit] = None
    return list(found)
