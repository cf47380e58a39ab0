"""``etl server``: the embedded PostgreSQL, by hand."""

import os
from typing import Annotated

import typer

from etl.cli.database import embedded_server
from etl.cli.options import Json
from etl.cli.output import say, tell, to_json

server = typer.Typer(no_args_is_help=True, help="The embedded PostgreSQL server.")


@server.command()
def start() -> None:
    """Start it; its data is made where there is none yet."""
    embedded = embedded_server()
    word = "started" if embedded.start() else "runs already"
    tell(f"{word}: {embedded.target.label}")
    tell(f"connect by: psql '{embedded.target.dsn}'")


@server.command()
def stop() -> None:
    """Stop it; running statements are rolled back."""
    embedded = embedded_server()
    tell(f"{'stopped' if embedded.stop() else 'was not running'}: {embedded.target.label}")


@server.command()
def status(json_output: Json = False) -> None:
    """Say whether it runs, its version, and where its data is. Exit 1 if it does not run."""
    embedded = embedded_server()
    version = embedded.version()
    facts = {
        "running": version is not None,
        "version": version,
        "data": str(embedded.data),
        "log": str(embedded.log),
        "dsn": embedded.target.dsn,
    }
    if json_output:
        tell(to_json(facts))
    else:
        tell(f"{'runs' if version else 'does not run'}: {embedded.target.label}")
        for name in ("version", "data", "log", "dsn"):
            tell(f"  {name:<8} {facts[name] or '-'}")
    raise typer.Exit(0 if version else 1)


@server.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(
    context: typer.Context,
    arguments: Annotated[
        list[str] | None, typer.Argument(help="Passed on to psql, for example -c 'SELECT 1'.")
    ] = None,
) -> None:
    """Open psql on it."""
    embedded = embedded_server()
    if embedded.start():
        say(f"etl: started {embedded.target.label}")
    program = embedded.binary("psql")
    extra = [*(arguments or []), *context.args]
    os.execv(program, [str(program), "-d", embedded.target.dsn, *extra])  # noqa: S606
