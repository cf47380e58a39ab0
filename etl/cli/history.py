"""``etl history``: how the cycles went."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from etl.cli.options import AnyJob, Dsn, Json, connected, deployed_jobs
from etl.cli.output import columns, printable, tell, to_json
from etl.cli.status import cycle_table
from etl.cli.words import age, counted, moment, seconds
from etl.errors import UsageError

if TYPE_CHECKING:
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
    from etl.ledger import attempts
    from etl.ledger.cycles import latest

    if cycle is not None and job is None:
        raise UsageError("--cycle needs a job", f"Say which: etl history JOB --cycle {cycle}.")
    with connected(dsn, "history") as connection:
        jobs = deployed_jobs(connection, job)
        if cycle is not None:
            (one,) = latest(connection, jobs[0], 1, cycle)
            slowest = attempts.slowest(connection, one, _SLOWEST)
            failures = attempts.failures(connection, one)
            detail = _detail_object if json_output else _detail
            tell(detail(jobs[0], one, slowest, failures))
            return
        told = [(each, latest(connection, each, cycles)) for each in jobs]
    if json_output:
        tell(
            to_json(
                {
                    "jobs": [
                        {"job": each.name, "cycles": [asdict(row) for row in rows]}
                        for each, rows in told
                    ]
                }
            )
        )
    else:
        tell("\n\n".join(_list(each, rows) for each, rows in told) or "no job is deployed here")


def _list(job: "Job", cycles: "list[CycleRow]") -> str:
    if not cycles:
        return f"{job.title}: no cycle yet"
    return "\n".join([job.title, "", *cycle_table(cycles)])


def _has_attempts(cycle: "CycleRow", slowest: "list[SlowItem]", failures: "list[Failure]") -> bool:
    return bool(slowest or failures or not cycle.claimed)


def _detail_object(
    job: "Job", cycle: "CycleRow", slowest: "list[SlowItem]", failures: "list[Failure]"
) -> str:
    told = {
        "job": job.name,
        "cycle": asdict(cycle),
        "slowest": [asdict(item) for item in slowest],
        "failures": [asdict(failure) for failure in failures],
        "has_attempts": _has_attempts(cycle, slowest, failures),
    }
    return to_json(told)


def _detail(
    job: "Job", cycle: "CycleRow", slowest: "list[SlowItem]", failures: "list[Failure]"
) -> str:
    lines = [job.title, "", *cycle_table([cycle]), "", *_settings(cycle), "", *_levels(cycle)]
    if failures:
        rows = [
            (one.sqlstate or "-", one.outcome, one.item_key, one.message or "", f"{one.attempts:,}")
            for one in failures
        ]
        failed = ("SQLSTATE", "outcome", f"such as {job.unit}", "message", "attempts")
        lines += ["", *columns(failed, rows, left=4)]
    if slowest:
        slow = [
            (
                item.item_key,
                job.level_name(item.level),
                item.outcome,
                seconds(item.duration_ms / 1000),
                "-" if item.weight is None else f"{item.weight:,.0f}",
                str(item.worker),
            )
            for item in slowest
        ]
        titles = (f"slowest {job.unit}s", "level", "outcome", "took", "weight", "worker")
        lines += ["", *columns(titles, slow, left=3)]
    if not _has_attempts(cycle, slowest, failures):
        days = job.keep_attempts_days
        lines += [
            "",
            "its attempts come into the ledger when its record closes"
            if cycle.finished_at is None
            else f"its attempts are forgotten: the ledger keeps them for {days} days",
        ]
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


def _levels(cycle: "CycleRow") -> list[str]:
    titles = ("level", "found", "done", "failed", "busy", "orphaned", "left after", "oldest left",
              "goal")  # fmt: skip
    rows = [
        (
            f"{level.level} {level.name}",
            *(f"{n:,}" for n in (level.found, level.done, level.failed, level.busy)),
            f"{level.orphaned:,}",
            "-" if level.left is None else f"{level.left:,}",
            age(level.oldest_left_s),
            age(level.goal_s),
        )
        for level in cycle.levels
    ]
    return columns(titles, rows)
