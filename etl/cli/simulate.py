"""``etl simulate``: what many cycles come to, at any size."""

import os
from dataclasses import replace
from typing import Annotated

import typer

from etl import settings
from etl.cli.database import connected
from etl.cli.jobs import job_named, job_names
from etl.cli.options import (
    AsOf,
    Dsn,
    Json,
    MaxItems,
    ReservedPercent,
    TimeLimit,
    Workers,
    day,
    finite,
)
from etl.cli.output import tell, to_json
from etl.settings import duration_s

_MOST_CYCLES = 3650  # ten years of nights
_SHOWN = 12
_MAX_ITEMS, _RESERVED_PERCENT = 1000, 10  # where there is no job
_YEAR_S = 366 * 86_400.0
_DAY_MS = 86_400_000.0


def simulate(
    job: Annotated[
        str | None,
        typer.Argument(
            help="The job whose backlog, arrivals and costs are asked from the database; without "
            "it no database is used.",
            autocompletion=job_names,
        ),
    ] = None,
    items: Annotated[
        str | None,
        typer.Option(
            "--items",
            metavar="N",
            help="So many exist; one that is dirty already does not become so again.",
        ),
    ] = None,
    arrivals: Annotated[
        str | None,
        typer.Option(
            "--arrivals",
            metavar="N|LEVEL=N,…",
            help="Become dirty from one cycle to the next; 0.5% is of --items. Else as it was.",
        ),
    ] = None,
    backlog: Annotated[
        str | None,
        typer.Option(
            "--backlog", metavar="N|LEVEL=N,…", help="Dirty at the beginning. Else as it is."
        ),
    ] = None,
    times: Annotated[
        int,
        typer.Option(
            "--times", min=1, metavar="N", help="As if the database had so many times as much."
        ),
    ] = 1,
    cycles: Annotated[
        int, typer.Option("--cycles", min=1, max=_MOST_CYCLES, help="Simulate so many.")
    ] = 30,
    max_items: MaxItems = None,
    workers: Workers = None,
    every: Annotated[
        str, typer.Option("--every", metavar="DURATION", help="A cycle begins so often.")
    ] = "24h",
    time_limit: TimeLimit = None,
    reserved_percent: ReservedPercent = None,
    item_ms: Annotated[
        float | None,
        typer.Option(
            "--item-ms",
            min=0.0,
            max=_DAY_MS,
            callback=finite,
            help="What one item takes, milliseconds. Else as it was.",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", help="Arrivals vary by chance, the same for the same seed."),
    ] = None,
    as_of: AsOf = None,
    json_output: Json = False,
    dsn: Dsn = None,
) -> None:
    """Simulate many cycles: backlog and freshness by level, at up to 1,000,000,000 items.

    With a job, its database says what is dirty, what comes in and what items take; options say
    otherwise. Nothing is written. What is assumed: docs/simulate.md.
    """
    from etl.cli import scenario_levels
    from etl.cli.simulate_text import Subject, as_object, as_text
    from etl.simulation import Scenario, run

    every_s = duration_s("--every", every, longest_s=_YEAR_S)
    existing = None if items is None else scenario_levels.existing_items(items)
    subject, past = Subject(), None
    most, reserved, longest_s = _MAX_ITEMS, _RESERVED_PERCENT, None
    if job is not None:
        from etl.simulation.past import look

        found = job_named(job)
        most, reserved, longest_s = found.max_items, found.reserved_percent, found.time_limit_s
        with connected(dsn, "simulate", found) as connection:
            past = look(connection, found, day(as_of), every_s)
        subject = Subject(found.name, found.title, found.unit, past.cycles)
    scenario = Scenario(
        levels=scenario_levels.levels(past, existing, arrivals, backlog, times, item_ms),
        limit=settings.ItemLimit.read(max_items, os.environ, subject.unit, most),
        cycles=cycles,
        reserved_percent=settings.reserved_percent(reserved_percent, os.environ, reserved),
        workers=settings.workers(workers, os.environ)[0],
        every_s=every_s,
        time_limit_s=settings.time_limit_s(time_limit, os.environ, longest_s),
        items=existing,
        seed=seed,
    )
    if past is not None and past.model is not None:
        model = past.model
        scenario = replace(
            scenario, fixed_s=model.fixed_s, stretch=model.stretch, spread=model.spread
        )
    outlook = run(scenario, _SHOWN)
    if json_output:
        tell(to_json(as_object(subject, scenario, outlook)))
    else:
        tell(as_text(subject, scenario, outlook))
