"""``etl history``: how the cycles went."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from etl.cli.database import connected_to_jobs
from etl.cli.options import AnyJob, Dsn, Json
from etl.cli.output import columns, printable, tell, to_json
from etl.cli.status import cycle_table
from etl.cli.words import age, counted, moment, seconds
from etl.errors import UsageError

if TYPE_CHECKING:
    from etl.desk.cycles import CycleRow
    from etl.desk.history import CycleDetail
    from etl.job import Job


def history(
    job: AnyJob = None,
    cycles: Annotated[
        int, typer.Option("--cycles", min=1, max=100_000, help="How many of the latest.")
    ] = 20,
    cycle: Annotated[
        int | None,
        typer.Option(
            "--cycle", metavar="ID", min=1, max=2**63 - 1, help="Just this one, in detail."
        ),
    ] = None,
    json_output: Json = False,
    dsn: Dsn = None,
) -> None:
    """List the latest cycles, the last first; or tell one with its slowest items and failures.

    "oldest left" is the freshness that a cycle reached: how long the oldest item that it left
    had been dirty. With --json one object: jobs, or for one cycle: job and cycle.
    """
    from etl.desk import cycles as ledger
    from etl.desk import history as desk

    if cycle is not None and job is None:
        raise UsageError("--cycle needs a job", f"Say which: etl history JOB --cycle {cycle}.")
    with connected_to_jobs(dsn, "history", job) as (connection, jobs):
        if cycle is not None:
            (one,) = jobs
            found = desk.detail(connection, one, cycle)
            tell(to_json(_detail_object(one, found)) if json_output else _detail(one, found))
            return
        told = [(one, ledger.latest(connection, one.name, cycles)) for one in jobs]
    if json_output:
        objects = [
            {"job": one.name, "cycles": [cycle_object(c) for c in rows]} for one, rows in told
        ]
        tell(to_json({"jobs": objects}))
    else:
        tell("\n\n".join(_list(one, rows) for one, rows in told) or "no job is deployed here")


def cycle_object(cycle: "CycleRow") -> dict[str, Any]:
    """A cycle as docs/json/history.schema.json describes it."""
    return asdict(cycle) | {
        "items_per_s": round(cycle.items_per_s, 3),
        "oldest_left_s": cycle.oldest_left_s,
    }


def _list(job: "Job", cycles: "list[CycleRow]") -> str:
    if not cycles:
        return f"{job.title}: no cycle yet"
    return "\n".join([job.title, "", *cycle_table(cycles)])


def _detail_object(job: "Job", found: "CycleDetail") -> dict[str, Any]:
    told = {
        "slowest": [asdict(item) for item in found.slowest],
        "failures": [asdict(failure) for failure in found.failures],
        "has_attempts": found.has_attempts,
    }
    return {"job": job.name, "cycle": cycle_object(found.cycle) | told}


def _detail(job: "Job", found: "CycleDetail") -> str:
    cycle = found.cycle
    lines = [
        f"{job.title}",
        "",
        *cycle_table([cycle]),
        "",
        *_settings(cycle),
        "",
        *_levels(job, cycle),
    ]
    if found.failures:
        rows = [
            (one.sqlstate or "-", one.outcome, f"{one.attempts:,}", one.item_key, one.message or "")
            for one in found.failures
        ]
        failed = ("SQLSTATE", "outcome", "attempts", f"such as {job.unit}", "message")
        lines += ["", *columns(failed, rows, left=5)]
    if found.slowest:
        slow = [
            (
                item.item_key,
                job.level_name(item.level),
                item.outcome,
                seconds(item.duration_ms / 1000),
                "-" if item.weight is None else f"{item.weight:,.0f}",
                str(item.worker),
            )
            for item in found.slowest
        ]
        titles = (f"slowest {job.unit}s", "level", "outcome", "took", "weight", "worker")
        lines += ["", *columns(titles, slow, left=3)]
    if not found.has_attempts:
        days = job.keep_attempts_days
        lines += ["", f"its attempts are forgotten: the ledger keeps them for {days} days"]
    return "\n".join(lines)


def _settings(cycle: "CycleRow") -> list[str]:
    limit = (
        "no time limit"
        if cycle.time_limit_s is None
        else f"time limit {seconds(cycle.time_limit_s)}"
    )
    told = [
        f"as of {cycle.as_of}, on {printable(cycle.host)} (process {cycle.pid}), "
        f"{counted(cycle.workers, 'worker')}, limit {cycle.max_items:,}, {limit}"
    ]
    if cycle.predicted_s is not None:
        told.append(
            f"predicted {seconds(cycle.predicted_s)}, at most {seconds(cycle.predicted_p95_s)} "
            f"in 19 of 20 cases; took {seconds(cycle.duration_s)}"
        )
    if cycle.waited_s:
        told.append(f"waited for {seconds(cycle.waited_s)} of it")
    if cycle.finished_at is not None:
        told.append(f"ended {moment(cycle.finished_at)}")
    return told


def _levels(job: "Job", cycle: "CycleRow") -> list[str]:
    counts = ("found", "done", "failed", "busy", "orphaned")
    titles = ("level", *counts, "left after", "oldest left", "goal")
    rows = [
        (
            f"{level['level']} {level['name']}",
            *(f"{level[name]:,}" for name in counts),
            "-" if level.get("left") is None else f"{level['left']:,}",
            age(cycle.oldest_left_of([level])),
            age(job.freshness_goals.get(level["level"])),
        )
        for level in cycle.levels
    ]
    return columns(titles, rows)
