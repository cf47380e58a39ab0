"""``etl held``: what waits after failures, and letting it go."""

import re
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from etl.cli.database import connected
from etl.cli.jobs import job_named
from etl.cli.options import AnyJob, Dsn, JobName, Json, utf_8
from etl.cli.output import columns, tell, to_json
from etl.cli.stream import Amqp, named_broker
from etl.cli.words import counted
from etl.errors import UsageError

if TYPE_CHECKING:
    from etl.job.shape import Stream
    from etl.ledger.held import HeldItem
    from etl.stream.address import Broker

held = typer.Typer(no_args_is_help=True, help="Items that failed: list them, release them.")

_SQLSTATE = re.compile(r"[0-9A-Za-z]{2}(?:[0-9A-Za-z]{3})?\Z")
_STATES = ("quarantined", "held", "due")


_Code = Annotated[
    str | None,
    typer.Option(
        "--sqlstate",
        metavar="CODE",
        help="Those whose last failure has this SQLSTATE (23505), or is of this class (23).",
    ),
]
_Outcome = Annotated[
    Literal["failed", "orphaned"] | None,
    typer.Option(
        "--outcome",
        help="Those whose last attempt failed, or was orphaned: its worker died, without SQLSTATE.",
    ),
]


@held.command("list")
def list_held(
    job: AnyJob = None,
    sqlstate: _Code = None,
    outcome: _Outcome = None,
    quarantined: Annotated[
        bool, typer.Option("--quarantined", help="Only those that wait for a person.")
    ] = False,
    amqp: Amqp = None,
    json_output: Json = False,
    dsn: Dsn = None,
) -> None:
    """List the items that failed lately: those that wait for a person, then by time.

    Of a job that takes messages from a queue: its dead letters. They stay there.

    The state is quarantined, held, or due: the back-off is over. --json prints an
    array of objects with job, item_key, state, attempts, outcome, sqlstate,
    message, held_until, quarantined_at and last_cycle_id.
    """
    from etl import deploy
    from etl.ledger import held as engine

    found = job_named(job, may_be_stream=True) if job is not None else None
    code = _sqlstate(sqlstate)
    if found is not None and found.stream is not None:
        items = _dead_letters(named_broker(amqp), found.name, found.stream, code, outcome)
    else:
        with connected(dsn, "held list") as connection:
            deploy.require_current(connection)
            items = engine.held_items(
                connection,
                found.name if found else "",
                sqlstate=code,
                outcome=outcome or "",
                state="quarantined" if quarantined else "",
            )
    if json_output:
        tell(to_json([asdict(item) for item in items]))
    elif items:
        tell(_table(items, found.unit if found else None))
    else:
        is_filtered = bool(code or outcome or quarantined)
        tell("nothing that is held matches" if is_filtered else "nothing is held")


@held.command("release")
def release_held(
    job: JobName,
    keys: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY",
            callback=utf_8,
            help="Keys as 'etl held list' has them; -- before one with a dash.",
        ),
    ] = None,
    sqlstate: _Code = None,
    outcome: _Outcome = None,
    release_all: Annotated[bool, typer.Option("--all", help="All of the job.")] = False,
    amqp: Amqp = None,
    json_output: Json = False,
    dsn: Dsn = None,
) -> None:
    """Forget the failures of items, so that the next cycle takes them again.

    All that is asked for, or nothing. --json prints one object: job, released, items.
    """
    from etl import deploy
    from etl.ledger import held as engine

    found = job_named(job, may_be_stream=True)
    code = _sqlstate(sqlstate)
    if sum((bool(keys), sqlstate is not None, outcome is not None, release_all)) != 1:
        raise UsageError(
            "say which items to release, in one way; nothing was released",
            "Give keys, or --sqlstate CODE, or --outcome, or --all.",
        )
    if found.stream is not None:
        from etl.stream import dead_letters

        broker = named_broker(amqp)
        if code or outcome:
            letters = _dead_letters(broker, found.name, found.stream, code, outcome)
            keys = [letter.item_key for letter in letters]
        released = dead_letters.release(broker, found.stream, None if release_all else keys or [])
    else:
        with connected(dsn, "held release") as connection:
            deploy.require_current(connection)
            if keys:
                released = engine.release_keys(connection, found.name, keys)
            else:
                released = engine.release(
                    connection, found.name, sqlstate=code, outcome=outcome or ""
                )
    if json_output:
        tell(to_json({"job": found.name, "released": len(released), "items": released}))
    else:
        tell(f"{found.title}: released {counted(len(released), found.unit)}")


def _dead_letters(
    broker: "Broker", job: str, stream: "Stream", sqlstate: str, outcome: str | None
) -> "list[HeldItem]":
    """The dead letters that are meant."""
    from etl.stream import dead_letters

    return [
        letter
        for letter in dead_letters.listed(broker, job, stream)
        if (letter.sqlstate or "").startswith(sqlstate) and outcome in (None, letter.outcome)
    ]


def _sqlstate(given: str | None) -> str:
    """A code or class in capitals; empty where none was given."""
    if given is None:
        return ""
    if not _SQLSTATE.match(given):
        raise UsageError(
            f"--sqlstate {given!a} is no SQLSTATE",
            "Give its five characters (23505), or the two of its class (23).",
        )
    return given.upper()


def _table(items: "list[HeldItem]", unit: str | None) -> str:
    """Aligned columns and a sentence, for people.

    Args:
        items: At least one.
        unit: What an item is where all are of one job; None: tell the job of each.
    """
    titles = ["job", "key"] if unit is None else [unit]
    titles += ["state", "attempts", "outcome", "SQLSTATE", "until, or since", "cycle", "message"]
    rows = [
        (
            *([item.job] if unit is None else []),
            *(item.item_key, item.state, item.attempts, item.outcome, item.sqlstate),
            item.quarantined_at or item.held_until,
            *(str(item.last_cycle_id), item.message or ""),
        )
        for item in items
    ]
    states = Counter(item.state for item in items)
    total = ", ".join(f"{states[state]:,} {state}" for state in _STATES if states[state])
    return "\n".join([*columns(titles, rows, left=len(titles)), "", total])
