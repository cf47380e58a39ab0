"""``etl init`` and ``etl sql``: the SQL files and the database."""

import difflib
import json
from pathlib import Path
from typing import Annotated

import typer

from etl import __version__, deploy
from etl.cli.options import Dsn, Json, connected, whole_jobs
from etl.cli.output import tell
from etl.deploy import DeployedFile, FileState
from etl.errors import UsageError

sql = typer.Typer(no_args_is_help=True, help="Which SQL files exist, and what the database has.")

_MEANING = {
    FileState.APPLIED: "as in the database",
    FileState.PENDING: "etl init applies it",
    FileState.CHANGED: "etl init applies it again",
    FileState.EDITED: "edited after it was applied; etl init refuses",
    FileState.UNKNOWN: "only the database has it; this etl is older",
}


def init(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be applied; write nothing.")
    ] = False,
    json_output: Json = False,
    dsn: Dsn = None,
) -> None:
    """Bring schema and procedures of all jobs into the database. Safe to repeat."""
    done: list[DeployedFile] = []
    released: list[dict[str, str | int]] = []
    with connected(dsn, "init") as connection:
        for file in deploy.pending(connection, whole_jobs()):
            items = 0 if dry_run else deploy.apply(connection, file)
            if items is None:
                continue
            done.append(file)
            if not json_output:
                tell(f"{'would apply' if dry_run else 'applied'}  {file.scope}: {file.name}")
            if items:
                released.append({"job": file.scope, "name": file.name, "items": items})
                if not json_output:
                    tell(_released(file, items))
    if json_output:
        files = [{"scope": file.scope, "name": file.name} for file in done]
        tell(json.dumps({"dry_run": dry_run, "applied": files, "released": released}))
    elif not done:
        tell(f"nothing to do: the database has everything of etl {__version__}")


@sql.command("list")
def list_files(json_output: Json = False, dsn: Dsn = None) -> None:
    """List all SQL files, and how each stands to the database."""
    with connected(dsn, "sql") as connection:
        files = deploy.compare(connection, whole_jobs())
    if json_output:
        tell(json.dumps([_as_json(file) for file in files]))
        return
    width = max(len(_title(file)) for file in files)
    for file in files:
        when = (
            f"{file.applied.applied_at:%F %R} by {file.applied.applied_by}, "
            if file.applied
            else ""
        )
        version = f"etl {file.applied.etl_version}" if file.applied else ""
        tell(f"{file.state:<8} {_title(file):<{width}}  {when}{version}".rstrip())
    differing = {file.state for file in files} - {FileState.APPLIED}
    for state in sorted(differing):
        tell(f"{state}: {_MEANING[state]}")


@sql.command("show")
def show_file(
    name: Annotated[
        str, typer.Argument(help="Its name, or the end of it, as 'etl sql list' has it.")
    ],
    json_output: Json = False,
    dsn: Dsn = None,
) -> None:
    """Print an SQL file; where the database has another text, the difference."""
    with connected(dsn, "sql") as connection:
        files = deploy.compare(connection, whole_jobs())
    named = [file for file in files if _title(file).endswith(name)]
    if len(named) != 1:
        which = ", ".join(_title(file) for file in named) if named else "none"
        raise UsageError(
            f"{name!r} must name one file; it names {which}", "'etl sql list' lists them."
        )
    file = named[0]
    if json_output:
        texts = {"file": file.text, "database": file.applied.content if file.applied else None}
        tell(json.dumps({**_as_json(file), **texts}))
        return
    tell(f"-- {_title(file)}: {file.state}, {_MEANING[file.state]}")
    if file.applied is None or file.state is FileState.APPLIED:
        tell(file.text, end="")
        return
    old, new = file.applied.content.splitlines(True), file.text.splitlines(True)
    tell("".join(difflib.unified_diff(old, new, "database", str(file.path))), end="")


def _released(file: DeployedFile, items: int) -> str:
    s = "" if items == 1 else "s"
    return f"released {items:,} held item{s} of {file.scope}: {Path(file.name).name} changed"


def _title(file: DeployedFile) -> str:
    return f"{file.scope}/{file.name}"


def _as_json(file: DeployedFile) -> dict[str, str | None]:
    applied = file.applied
    return {
        "scope": file.scope,
        "name": file.name,
        "kind": file.kind,
        "state": file.state,
        "path": str(file.path) if file.is_here else None,
        "checksum": file.checksum if file.is_here else None,
        "applied_checksum": applied.checksum if applied else None,
        "applied_at": applied.applied_at.isoformat() if applied else None,
        "applied_by": applied.applied_by if applied else None,
        "etl_version": applied.etl_version if applied else None,
    }
