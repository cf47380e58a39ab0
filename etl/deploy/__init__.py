"""Brings the SQL files into the database, and tells where the two differ.

Numbered files in a ``schema`` folder are applied once, in order; files in a ``procedures``
folder again whenever their text changes. Each is one transaction, together with its row in
``etl.applied_file``. A lock that is bound to that transaction makes it safe from any number
of processes: whoever comes second finds the file applied. It runs as the role that owns
schema ``etl`` (see roles).
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from etl import __version__, db
from etl.deploy import roles
from etl.errors import FileError, SchemaError
from etl.folders import sql_folder
from etl.job import Job
from etl.ledger import held
from etl.sqlfile import read_text, shipped, statements

ENGINE = "etl"
"""Scope of the files that belong to no job."""

_NUMBERED = re.compile(r"(\d{4})_[a-z0-9_]+\.sql\Z")
_INIT = "Run 'etl init' on this database."


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
    applied = _applied(connection)
    found: list[DeployedFile] = []
    for scope, folder in folders(jobs):
        for path in _paths(folder):
            name = path.relative_to(folder).as_posix()
            text = read_text(path)
            found.append(
                DeployedFile(scope, name, path, True, text, applied.pop((scope, name), None))
            )
        for known, name in [key for key in applied if key[0] == scope]:
            found.append(
                DeployedFile(known, name, folder / name, False, "", applied.pop((known, name)))
            )
    return found


def check_files(job: Job) -> None:
    """Read the files that a job would bring into the database.

    Raises:
        FileError: One is broken, or has a wrong or double number.
    """
    for path in _paths(job.folder):
        statements(path)


def require_current(connection: db.Connection, *jobs: Job) -> None:
    """Make sure that the database has exactly the files that the engine and these jobs need.

    Raises:
        SchemaError: It has older, newer or other ones.
    """
    if not _has_ledger(connection):
        raise SchemaError("the database has no schema of etl yet", _INIT)
    files = compare(connection, jobs)
    _refuse_newer_and_edited(files)
    waiting = [file for file in files if file.state is not FileState.APPLIED]
    if waiting:
        first = waiting[0]
        raise SchemaError(
            f"the database lacks {len(waiting)} SQL file(s), first {first.scope}: {first.name} "
            f"({first.state})",
            _INIT,
        )


def pending(connection: db.Connection, jobs: Iterable[Job]) -> list[DeployedFile]:
    """The files that have to be applied, in order.

    Raises:
        SchemaError: The database is newer, or an applied numbered file was edited.
        FileError: A file would have to be applied before one that has been.
    """
    files = compare(connection, jobs)
    _refuse_newer_and_edited(files)
    last: dict[str, DeployedFile] = {}
    for file in reversed(files):
        later = last.get(file.scope)
        if file.kind != "schema":
            continue
        if file.state is FileState.APPLIED:
            last.setdefault(file.scope, file)
        elif later is not None and file.is_here:
            raise FileError(
                file.path, None, f"comes before {later.name}, which is applied already",
                "Give it a number behind the last one.",
            )  # fmt: skip
    return [file for file in files if file.state in (FileState.PENDING, FileState.CHANGED)]


def apply(connection: db.Connection, file: DeployedFile) -> int | None:
    """Apply one file in one transaction.

    A procedure of a job that replaces another text releases all held items of the job: what
    failed with the old text may succeed now, and should not wait for it.

    Returns:
        How many held items it released; None where another process had just applied it.

    Raises:
        FileError: A statement fails; the message names its line, nothing was applied.
        PrivilegeError: This login may not.
    """
    with roles.as_owner(connection):
        known = _applied(connection).get((file.scope, file.name))
        if known is not None and known.checksum == file.checksum:
            return None
        for statement in statements(file.path, file.text):
            db.run(connection, statement)
        db.run(
            connection,
            shipped("deploy/record_file"),
            scope=file.scope,
            name=file.name,
            kind=file.kind,
            checksum=file.checksum,
            content=file.text,
            etl_version=__version__,
        )
        is_mended = known is not None and file.scope != ENGINE
        return len(held.release(connection, file.scope)) if is_mended else 0


def _refuse_newer_and_edited(files: Iterable[DeployedFile]) -> None:
    for file in files:
        if file.state is FileState.UNKNOWN and file.applied is not None:
            raise SchemaError(
                f"the database is newer than this etl {__version__}: it has {file.scope}: "
                f"{file.name}, applied by etl {file.applied.etl_version}",
                "Upgrade etl here, or use the database that belongs to this version.",
            )
        if file.state is FileState.EDITED and file.applied is not None:
            raise FileError(
                file.path, _first_difference(file.applied.content, file.text),
                f"was edited after it was applied on {file.applied.applied_at:%F}",
                "Restore its text ('etl sql show' prints the difference) and put the change "
                "into a new numbered file.",
            )  # fmt: skip


def _first_difference(old: str, new: str) -> int:
    lines = zip(old.splitlines(), new.splitlines(), strict=False)
    same = next((i for i, (a, b) in enumerate(lines) if a != b), None)
    return 1 + (min(old.count("\n"), new.count("\n")) if same is None else same)


def _has_ledger(connection: db.Connection) -> bool:
    return db.one(connection, shipped("deploy/has_ledger")) == (True,)


def _applied(connection: db.Connection) -> dict[tuple[str, str], AppliedFile]:
    if not _has_ledger(connection):
        return {}
    rows = db.run(connection, shipped("deploy/applied_files"))
    return {(scope, name): AppliedFile(*rest) for scope, name, *rest in rows}


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
