"""Gives the roles the rights that the SQL files in the ``grants`` folders name.

They are given again by each ``etl init``, after all other files: a right on an object that
a new file makes, or one that somebody revoked, or all of them where the roles were made
later. A file that changes nothing is rolled back: every GRANT writes a new version of its
row of the catalogue, changed or not, and makes other sessions forget what they have cached.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psycopg

from etl import db
from etl.deploy import roles
from etl.deploy.files import folders
from etl.job import Job
from etl.sqlfile import shipped, statements


@dataclass(frozen=True, slots=True)
class GrantFile:
    """A file of grants.

    Attributes:
        scope: The job it belongs to, or ``etl``.
        path: Where it is.
    """

    scope: str
    path: Path

    @property
    def name(self) -> str:
        """Its name, such as ``grants/etl_reader.sql``."""
        return f"grants/{self.path.name}"


def files(jobs: Iterable[Job]) -> list[GrantFile]:
    """The files of the engine and of these jobs, in the order in which they are run."""
    return [
        GrantFile(scope, path)
        for scope, folder in folders(jobs)
        for path in sorted((folder / "grants").glob("*.sql"))
    ]


def grant(
    connection: db.Connection, jobs: Iterable[Job], *, is_dry_run: bool = False
) -> list[GrantFile]:
    """Run the files, each in one transaction, where the roles exist and this login may.

    Args:
        connection: In autocommit.
        jobs: The engine's own are always among them.
        is_dry_run: Roll back all of them.

    Returns:
        Those that changed anything, or would.

    Raises:
        FileError: A statement fails; the message names its line.
    """
    here = roles.standing(connection)
    if here.missing or here.is_read_only or not here.may_act:
        return []
    return [file for file in files(jobs) if _run(connection, file, is_dry_run)]


def _run(connection: db.Connection, file: GrantFile, is_dry_run: bool) -> bool:
    is_change = False
    with roles.as_owner(connection):
        before = db.one(connection, shipped("deploy/privileges"))
        for statement in statements(file.path):
            db.run(connection, statement)
        is_change = db.one(connection, shipped("deploy/privileges")) != before
        if is_dry_run or not is_change:
            raise psycopg.Rollback
    return is_change
