"""``etl init``: schema and procedures into the database."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etl import __version__
from etl.cli.database import connected
from etl.cli.jobs import whole_jobs
from etl.cli.options import Dsn, Json
from etl.cli.output import tell, to_json
from etl.cli.words import counted
from etl.job import Job

if TYPE_CHECKING:
    from etl.db import Connection
    from etl.deploy import DeployedFile

Show = Callable[[str], None]


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

    show: Show = (lambda _: None) if json_output else tell  # the JSON object says it all
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
        tell(to_json(report))


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
            told = counted(items, "held item")
            show(f"released {told} of {file.scope}: {Path(file.name).name} changed")
    return done, released
