"""``etl sql``: the SQL files, and how the database stands to them."""

import difflib
from typing import TYPE_CHECKING, Annotated, Any

import typer

from etl.cli.database import connected
from etl.cli.jobs import whole_jobs
from etl.cli.options import Dsn, Json
from etl.cli.output import columns, tell, to_json
from etl.cli.words import moment
from etl.errors import UsageError

if TYPE_CHECKING:
    from etl.deploy import DeployedFile

sql = typer.Typer(no_args_is_help=True, help="Which SQL files exist, and what the database has.")

_APPLIED = "applied"
_MEANING = {
    _APPLIED: "as in the database",
    "pending": "etl init applies it",
    "changed": "etl init applies it again",
    "edited": "edited after it was applied; etl init refuses",
    "unknown": "only the database has it; this etl is older",
}


@sql.command("list")
def list_files(json_output: Json = False, dsn: Dsn = None) -> None:
    """List all SQL files, and how each stands to the database."""
    from etl import deploy

    with connected(dsn, "sql") as connection:
        files = deploy.compare(connection, whole_jobs())
    if json_output:
        tell(to_json([_as_object(file) for file in files]))
        return
    rows = [
        (file.state, _title(file), moment(on.applied_at), on.applied_by, on.etl_version)
        if (on := file.applied)
        else (file.state, _title(file), "-", "-", "-")
        for file in files
    ]
    tell("\n".join(columns(("state", "file", "applied", "by", "etl"), rows, left=5)))
    for state in sorted({file.state for file in files} - {_APPLIED}):
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
        tell(to_json({**_as_object(file), **texts}))
        return
    tell(f"-- {_title(file)}: {file.state}, {_MEANING[file.state]}")
    if file.applied is None or file.state == _APPLIED:
        tell(file.text, end="")
        return
    old, new = file.applied.content.splitlines(True), file.text.splitlines(True)
    tell("".join(difflib.unified_diff(old, new, "database", str(file.path))), end="")


def _title(file: "DeployedFile") -> str:
    return f"{file.scope}/{file.name}"


def _as_object(file: "DeployedFile") -> dict[str, Any]:
    applied = file.applied
    return {
        "scope": file.scope,
        "name": file.name,
        "kind": file.kind,
        "state": file.state,
        "path": str(file.path) if file.is_here else None,
        "checksum": file.checksum if file.is_here else None,
        "applied_checksum": applied.checksum if applied else None,
        "applied_at": applied.applied_at if applied else None,
        "applied_by": applied.applied_by if applied else None,
        "etl_version": applied.etl_version if applied else None,
    }
