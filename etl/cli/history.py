"""``etl history``: how the cycles went."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from etl.cli.database import connected_to_jobs
from etl.cli.options import AnyJob, Dsn, Json
from etl.cli.output import columns, printable, tell, to_json
from etl.cli.status import cycle_table
from etl.cli.words import age, counted, moment, seconds
from etl.errors import UsageError

if TYPE_CHECKING:
    from etl.db import Connection
    from etl.job import Job
    from etl.ledger.attempts import Failure, SlowItem
    from etl.ledger.cycles import CycleRow

_SLOWEST = 10


def history(
    job: AnyJob = None,
    cycles: Annotated[
        int, typer.Option("--cycles", min=1, max=100_000, help="How many of the latest.")
    ] = 20,
    cycle: Annotated[
        int | None,
        typer.Option(
            "--cycle", min=1, max=2**63 - 1, metavar="ID", help="Just this one, in detail."
        ),
    ] = None,
    json_output: Json = False,
    dsn: Dsn = None,
) -> None:
    """List the latest cycles, the last first; or tell one with its slowest items and failures.

    "oldest left" is the freshness that a cycle reached: how long the oldest item that it left
    had been dirty. With --json one object: jobs, or for one cycle: job, cycle,
    slowest, failures and has_attempts.
    """
    from etl.ledger.cycles import latest

    if cycle is not None and job is None:
        raise UsageError("--cycle needs a job", f"Say which: etl history JOB --cycle {cycle}.")
    with connected_to_jobs(dsn, "history", job) as (connection, jobs):
        if cycle is not None:
            _tell_one(connection, jobs[0], cycle, is_json=json_output)
            return
        told = [(each, latest(connection, each, cycles)) for each in jobs]
    if json_output:
        listed = [
            {"job": each.name, "cycles": [asdict(row) for row in rows]} for each, rows in told
        ]
        tell(to_json({"jobs": listed}))
    else:
        tell("\n\n".join(_list(*one) for one in told) or "no job is deployed here")


def _list(job: "Job", cycles: "list[CycleRow]") -> str:
    if not cycles:
        return f"{job.title}: no cycle yet"
    return "\n".join([job.title, "", *cycle_table(cycles)])


def _tell_one(connection: "Connection", job: "Job", cycle_id: int, *, is_json: bool) -> None:
    from etl.ledger import attempts
    from etl.ledger.cycles import latest

    (cycle,) = latest(connection, job, 1, cycle_id)
    slowest = attempts.slowest(connection, cycle, _SLOWEST)
    failures = attempts.failures(connection, cycle)
    if not is_json:
        tell(_detail(job, cycle, slowest, failures))
        return
    told = {
        "job": job.name,
        "cycle": asdict(cycle),
        "slowest": [asdict(item) for item in slowest],
        "failures": [asdict(failure) for failure in failures],
        "has_attempts": bool(slowest or failures or not cycle.claimed),
    }
    tell(to_json(told))


def _detail(
    job: "Job", cycle: "CycleRow", slowest: "list[SlowItem]", failures: "list[Failure]"
) -> str:
    lines = [job.title, "", *cycle_table([cycle]), "", *_settings(cycle), "", *_levels(cycle)]
    if failures:
        rows = [
            (one.sqlstate or "-", one.outcome, one.attempts, one.item_key, one.message or "")
            for one in failures
        ]
        failed = ("SQLSTATE", "outcome", "attempts", f"such as {job.unit}", "message")
        lines += ["", *columns(failed, rows, left=5)]
    if slowest:
        slow = [
            (
                item.item_key,
                job.level_name(item.level),
                item.outcome,
                seconds(item.duration_ms / 1000),
                item.weight,
                str(item.worker),
            )
            for item in slowest
        ]
        titles = (f"slowest {job.unit}s", "level", "outcome", "took", "weight", "worker")
        lines += ["", *columns(titles, slow, left=3)]
    if cycle.claimed and not (failures or slowest):
        why = f"are forgotten: the ledger keeps them for {job.keep_attempts_days} days"
        if cycle.finished_at is None:
            why = "come into the ledger when its record closes"
        lines += ["", f"its attempts {why}"]
    return "\n".join(lines)


def _settings(cycle: "CycleRow") -> list[str]:
    limit = f"time limit {seconds(cycle.time_limit_s)}" if cycle.time_limit_s else "no time limit"
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


def _levels(cycle: "CycleRow") -> list[str]:
    titles = ("level", "found", "done", "failed", "busy", "orphaned", "left after", "oldest left",
              "goal")  # fmt: skip
    rows = [
        (
            f"{level.level} {level.name}",
            *(level.found, level.done, level.failed, level.busy, level.orphaned, level.left),
            age(level.oldest_left_s),
            age(level.goal_s),
        )
        for level in cycle.levels
    ]
    return columns(titles, rows)
