"""``etl init`` and ``etl sql``: the SQL files and the database."""

import difflib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etl import __version__
from etl.cli.options import Dsn, Json, connected, whole_jobs
from etl.cli.output import tell
from etl.cli.words import counted
from etl.errors import UsageError
from etl.job import Job

if TYPE_CHECKING:
    from etl.db import Connection
    from etl.deploy import DeployedFile

Show = Callable[[str], None]

sql = typer.Typer(no_args_is_help=True, help="Which SQL files exist, and what the database has.")

_APPLIED = "applied"
_MEANING = {
    _APPLIED: "as in the database",
    "pending": "etl init applies it",
    "changed": "etl init applies it again",
    "edited": "edited after it was applied; etl init refuses",
    "unknown": "only the database has it; this etl is older",
}


def init(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be applied; write nothing.")
    ] = False,
    with_roles: Annotated[
        bool,
        typer.Option(
            "--with-roles", help="First make the roles etl_owner, etl_runner and etl_reader."
        ),
    ] = False,
    json_output: Json = False,
    dsn: Dsn = None,
) -> None:
    """Bring schema and procedures of all jobs into the database. Safe to repeat.

    What they make belongs to etl_owner, and etl_runner and etl_reader get the rights that
    the files in grants/ name, where these roles exist.
    """
    from etl.deploy import grants, roles

    show = _nowhere if json_output else tell
    with connected(dsn, "init") as connection:
        jobs = whole_jobs()
        made = _make_roles(connection, show, is_dry_run=dry_run) if with_roles else []
        done, released = _apply(connection, jobs, show, is_dry_run=dry_run)
        missing = [role for role in roles.standing(connection).missing if role not in made]
        if dry_run and (made or done):  # the objects are not there yet, so this cannot be tried
            granted = [] if missing else grants.files(jobs)
        else:
            granted = grants.grant(connection, jobs, is_dry_run=dry_run)
    for grant in granted:
        show(f"{'would grant' if dry_run else 'granted'}  {grant.scope}: {grant.name}")
    if not (made or done or granted):
        show(f"nothing to do: the database has everything of etl {__version__}")
    if missing:
        names = ", ".join(missing)
        show(f"no rights granted, missing roles: {names} ('etl init --with-roles' makes them)")
    if json_output:
        report = {
            "dry_run": dry_run,
            "applied": [{"scope": file.scope, "name": file.name} for file in done],
            "released": released,
            "roles_made": made,
            "roles_missing": missing,
            "granted": [{"scope": grant.scope, "name": grant.name} for grant in granted],
        }
        tell(json.dumps(report))


def _nowhere(_line: str) -> None:
    """Show nothing: the one JSON object says it all."""


def _make_roles(connection: "Connection", show: Show, *, is_dry_run: bool) -> list[str]:
    """Make the roles. Returns those that did not exist."""
    from etl.deploy import roles

    made = roles.standing(connection).missing if is_dry_run else roles.create(connection)
    for role in made:
        show(f"{'would make' if is_dry_run else 'made'}  role {role}")
    return made


def _apply(
    connection: "Connection", jobs: list[Job], show: Show, *, is_dry_run: bool
) -> "tuple[list[DeployedFile], list[dict[str, str | int]]]":
    """Apply what has to be.

    Returns:
        What was applied here, not by another process; and what a mended procedure released.
    """
    from etl import deploy

    done: list[DeployedFile] = []
    released: list[dict[str, str | int]] = []
    for file in deploy.pending(connection, jobs):
        items = 0 if is_dry_run else deploy.apply(connection, file)
        if items is None:
            continue
        done.append(file)
        show(f"{'would apply' if is_dry_run else 'applied'}  {file.scope}: {file.name}")
        if items:
            released.append({"job": file.scope, "name": file.name, "items": items})
            show(_released(file, items))
    return done, released


@sql.command("list")
def list_files(json_output: Json = False, dsn: Dsn = None) -> None:
    """List all SQL files, and how each stands to the database."""
    from etl import deploy

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
    differing = {file.state for file in files} - {_APPLIED}
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
    from etl import deploy

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
    if file.applied is None or file.state == _APPLIED:
        tell(file.text, end="")
        return
    old, new = file.applied.content.splitlines(True), file.text.splitlines(True)
    tell("".join(difflib.unified_diff(old, new, "database", str(file.path))), end="")


def _released(file: "DeployedFile", items: int) -> str:
    told = counted(items, "held item")
    return f"released {told} of {file.scope}: {Path(file.name).name} changed"


def _title(file: "DeployedFile") -> str:
    return f"{file.scope}/{file.name}"


def _as_json(file: "DeployedFile") -> dict[str, str | None]:
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
