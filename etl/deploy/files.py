"""The SQL files that a database should have, and those that it has."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from etl import db
from etl.errors import FileError
from etl.folders import sql_folder
from etl.job import Job
from etl.sqlfile import read_text, shipped, statements

ENGINE = "etl"
"""Scope of the files that belong to no job."""


_NUMBERED = re.compile(r"(\d{4})_[a-z0-9_]+\.sql\Z")


class FileState(StrEnum):
    """How a file and the database stand to each other."""

    APPLIED = "applied"
    PENDING = "pending"
    CHANGED = "changed"
    EDITED = "edited"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class AppliedFile:
    """A file as the database has it."""

    kind: str
    checksum: str
    content: str
    applied_at: datetime
    applied_by: str
    etl_version: str


@dataclass(frozen=True, slots=True)
class DeployedFile:
    """A file that a database should have, or has.

    Attributes:
        scope: The job it belongs to, or ``etl``.
        name: Its name, such as ``schema/0001_ledger.sql``.
        path: Where it is, or would be.
        is_here: Whether it is; False where only the database knows it.
        text: Its text now; empty where only the database knows it.
        applied: What the database has; None where it has none.
    """

    scope: str
    name: str
    path: Path
    is_here: bool
    text: str
    applied: AppliedFile | None

    @property
    def kind(self) -> str:
        """schema or procedure."""
        return "schema" if self.name.startswith("schema/") else "procedure"

    @property
    def checksum(self) -> str:
        """SHA-256 of its text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def state(self) -> FileState:
        """How file and database stand to each other."""
        if not self.is_here:
            return FileState.UNKNOWN
        if self.applied is None:
            return FileState.PENDING
        if self.applied.checksum == self.checksum:
            return FileState.APPLIED
        return FileState.EDITED if self.kind == "schema" else FileState.CHANGED


def folders(jobs: Iterable[Job]) -> list[tuple[str, Path]]:
    """Scope and folder of the engine and of these jobs."""
    return [(ENGINE, sql_folder()), *((job.name, job.folder) for job in jobs)]


def compare(connection: db.Connection, jobs: Iterable[Job]) -> list[DeployedFile]:
    """All files of the engine and of these jobs, in the order in which they are applied.

    Files that the database has and these folders have not come last of their scope.

    Raises:
        FileError: A folder has files with wrong or double numbers.
    """
    known = applied(connection)
    found: list[DeployedFile] = []
    for scope, folder in folders(jobs):
        for path in _paths(folder):
            name = path.relative_to(folder).as_posix()
            text = read_text(path)
            found.append(
                DeployedFile(scope, name, path, True, text, known.pop((scope, name), None))
            )
        for name in [name for owner, name in known if owner == scope]:
            found.append(
                DeployedFile(scope, name, folder / name, False, "", known.pop((scope, name)))
            )
    return found


def check_files(job: Job) -> None:
    """Read the files that a job would bring into the database, and those of its grants.

    Raises:
        FileError: One is broken, or has a wrong or double number.
    """
    for path in (*_paths(job.folder), *sorted((job.folder / "grants").glob("*.sql"))):
        statements(path)


def applied(connection: db.Connection) -> dict[tuple[str, str], AppliedFile]:
    """What the database has, by scope and name."""
    if not has_ledger(connection):
        return {}
    rows = db.run(connection, shipped("deploy/applied_files"))
    return {(scope, name): AppliedFile(*rest) for scope, name, *rest in rows}


def has_ledger(connection: db.Connection) -> bool:
    """Whether ``etl init`` has run on this database."""
    return db.one(connection, shipped("deploy/has_ledger")) == (True,)


def _paths(folder: Path) -> Iterator[Path]:
    """The numbered files in order, then the procedures by name."""
    numbers: dict[str, Path] = {}
    for path in sorted((folder / "schema").glob("*.sql")):
        match = _NUMBERED.match(path.name)
        if match is None:
            raise FileError(path, None, "has no number and title", "Name it 0001_title.sql.")
        if match[1] in numbers:
            raise FileError(
                path, None, f"has the number of {numbers[match[1]].name}", "Give it the next one."
            )
        numbers[match[1]] = path
        yield path
    yield from sorted((folder / "procedures").glob("*.sql"))
