"""``etl simulate``: what many cycles come to, at any size."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from etl import settings
from etl.cli.options import AsOf, Dsn, Json, connected, day, deployed_jobs, job_named, job_names
from etl.cli.output import tell, to_json
from etl.settings import duration_s

if TYPE_CHECKING:
    from etl.desk.past import Past
    from etl.job import Job

_MOST_CYCLES = 3650  # ten years of nights
_SHOWN = 12
_YEAR_S = 366 * 86_400.0


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
    max_items: Annotated[
        int | None,
        typer.Option(
            "--max-items", min=1, max=settings.LARGEST, help="Item limit, as of the job's command."
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", min=1, max=settings.MOST_WORKERS, help="As of the job's command."
        ),
    ] = None,
    every: Annotated[
        str, typer.Option("--every", metavar="DURATION", help="A cycle begins so often.")
    ] = "24h",
    time_limit: Annotated[
        str | None,
        typer.Option("--time-limit", metavar="DURATION", help="As of the job's command."),
    ] = None,
    reserved_percent: Annotated[
        int | None,
        typer.Option("--reserved-percent", min=0, max=99, help="As of the job's command."),
    ] = None,
    item_ms: Annotated[
        float | None,
        typer.Option("--item-ms", help="What one item takes, milliseconds. Else as it was."),
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
    from etl.cli import scenario_options, simulate_text
    from etl.simulation import run

    every_s = duration_s("--every", every, longest_s=_YEAR_S)
    found: Job | None = None if job is None else job_named(job)
    past: Past | None = None
    if job is not None and found is not None:
        from etl.desk import past as desk

        with connected(dsn, "simulate") as connection:
            deployed_jobs(connection, job)
            past = desk.look(connection, found, day(as_of), every_s)
    given = scenario_options.Given(
        items=items,
        arrivals=arrivals,
        backlog=backlog,
        times=times,
        item_ms=item_ms,
        cycles=cycles,
        max_items=max_items,
        workers=workers,
        every_s=every_s,
        time_limit=time_limit,
        reserved_percent=reserved_percent,
        seed=seed,
    )
    scenario = scenario_options.scenario(given, found, past, os.environ)
    outlook = run(scenario, _SHOWN)
    named = scenario_options.Named.of(found, past)
    tell(
        to_json(simulate_text.as_object(named, scenario, outlook))
        if json_output
        else simulate_text.text(named, scenario, outlook)
    )
