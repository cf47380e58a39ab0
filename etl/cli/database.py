"""The database that a command works on, and a connection to it.

psycopg takes longer to load than all the rest: it is loaded by the command that runs, so that
--help and mistakes in the command line are answered at once.
"""

import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from etl import folders
from etl.cli.jobs import job_named, jobs_with_cycles
from etl.cli.output import say
from etl.errors import SchemaError, UsageError
from etl.job import Job

if TYPE_CHECKING:
    from etl.db import Connection, Target
    from etl.embedded import EmbeddedServer


def embedded_server() -> "EmbeddedServer":
    """The server of this user's state folder."""
    from etl.embedded import EmbeddedServer

    return EmbeddedServer.of(folders.state_path(os.environ), os.environ)


def target(dsn: str | None) -> "Target":
    """The database to use; starts the embedded server where nothing names another.

    Raises:
        UsageError: ``--dsn`` is empty, as an unset variable of a script makes it.
    """
    from etl import db
    from etl.dsn import has_password

    if dsn == "":
        raise UsageError("--dsn names no database", "Leave it out for the embedded server.")
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
def connected(dsn: str | None, purpose: str, job: Job | None = None) -> "Generator[Connection]":
    """A connection for a command that is no cycle.

    Args:
        dsn: As ``--dsn`` has it.
        purpose: What a DBA reads in pg_stat_activity, behind etl.
        job: The database must have it, as its files are.
    """
    from etl import db, deploy

    name = f"etl:{purpose} {job.command}" if job is not None else f"etl:{purpose}"
    with db.reached(), db.connect(target(dsn), name) as connection:
        if job is not None:
            deploy.require_current(connection, job)
        yield connection


@contextmanager
def connected_to_jobs(
    dsn: str | None, purpose: str, name: str | None
) -> "Generator[tuple[Connection, list[Job]]]":
    """A connection, and the job with this name; without one, all jobs that this database has.

    Raises:
        UsageError: There is no such job.
        SchemaError: The named one is not deployed, or not as its files are.
    """
    named = None if name is None else job_named(name)
    with connected(dsn, purpose, named) as connection:
        yield connection, _deployed(connection) if named is None else [named]


def _deployed(connection: "Connection") -> list[Job]:
    """The jobs that this database has; about each of the others one line is said."""
    from etl import deploy

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
