"""Bringing files into a database: which are due, one of them applied, all of them demanded."""

from collections.abc import Iterable

from etl import __version__, db
from etl.deploy import roles
from etl.deploy.files import ENGINE, DeployedFile, FileState, applied, compare, has_ledger
from etl.errors import FileError, SchemaError
from etl.job import Job
from etl.ledger import held
from etl.sqlfile import shipped, statements

_INIT = "Run 'etl init' on this database."


def require_current(connection: db.Connection, *jobs: Job) -> None:
    """Make sure that the database has exactly the files that the engine and these jobs need.

    Raises:
        SchemaError: It has older, newer or other ones.
    """
    if not has_ledger(connection):
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
        known = applied(connection).get((file.scope, file.name))
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
