"""``etl status``: what is stale, how far the running cycle is, when the backlog is gone."""

import signal
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from etl.cli.database import connected_to_jobs
from etl.cli.options import AnyJob, AsOf, Dsn, Json, day
from etl.cli.output import columns, is_heard, printable, tell, to_json
from etl.cli.words import age, counted, moment, seconds
from etl.settings import LARGEST, duration_s

if TYPE_CHECKING:
    from etl.db import Connection
    from etl.desk.flow import Flow
    from etl.desk.status import Running, Status
    from etl.job import Job
    from etl.ledger.cycles import CycleRow


_DAY_S = 86_400
_REDRAW = "\x1b[H\x1b[2J"  # the cursor to the corner, and the screen cleared


def status(
    job: AnyJob = None,
    as_of: AsOf = None,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again and again.")] = False,
    every: Annotated[
        str, typer.Option("--every", metavar="DURATION", help="How often, with --watch.")
    ] = "2s",
    json_output: Json = False,
    dsn: Dsn = None,
) -> None:
    """Tell what is dirty and since when, what runs, and when the backlog will be gone.

    Ages stand against the goals in the job's job.toml; a level that is over its goal is marked.
    With --json one object, with --watch one a line: asked_at and jobs.
    """
    pause_s = duration_s("--every", every)
    with connected_to_jobs(dsn, "status", job) as (connection, jobs):
        if not watch:
            tell(_told(connection, jobs, as_of, json_output))
            return
        signal.signal(signal.SIGINT, signal.default_int_handler)
        is_redrawn = sys.stdout.isatty() and not json_output
        try:
            while is_heard():
                told = _told(connection, jobs, as_of, json_output)
                tell(f"{_REDRAW}{told}" if is_redrawn else told)
                time.sleep(pause_s)
        except KeyboardInterrupt:
            raise typer.Exit(0) from None


def _told(connection: "Connection", jobs: "list[Job]", as_of: Any, is_json: bool) -> str:
    from etl.desk import status as desk

    today = day(as_of)
    told = [desk.look(connection, job, today) for job in jobs]
    if is_json:
        asked_at = min((one.asked_at for one in told), default=None)
        return to_json({"asked_at": asked_at, "jobs": [as_object(one) for one in told]})
    return "\n\n".join(map(as_text, told)) or "no job is deployed on this database"


def as_object(status: "Status") -> dict[str, Any]:
    """The status of a job as docs/json/status.schema.json describes it."""
    told = asdict(status)
    for level, seen in zip(told["levels"], status.levels, strict=True):
        level["is_late"] = seen.is_late
    return told


def as_text(status: "Status") -> str:
    """The status of a job for people."""
    unit = f"{status.unit}s"
    late = [level.name for level in status.levels if level.is_late]
    verdict = f"over their goal: {', '.join(late)}" if late else "all within their goals"
    if not any(level.goal_s for level in status.levels):
        verdict = "no goals are set"
    backlog = counted(status.backlog, f"dirty {status.unit}")
    lines = [f"{status.title}: {backlog}; {verdict}  ({moment(status.asked_at)})", ""]
    lines += _levels(status)
    if status.held or status.quarantined:
        waiting = f"{status.held:,} held, {status.quarantined:,} quarantined"
        command = f"etl held list {status.job.replace('_', '-')}"
        lines += ["", f"after failures: {waiting} ({command})"]
    lines += ["", f"backlog: {flow_line(status.flow, unit)}"]
    if status.running is not None:
        lines += ["", *_running(status.running, unit)]
    if status.cut_off is not None:
        lines += ["", f"cycle {status.cut_off} was cut off; the next cycle closes its record"]
    if status.last:
        lines += ["", *cycle_table(status.last)]
    return "\n".join(lines)


def _levels(status: "Status") -> list[str]:
    rows = [
        (
            f"{level.level} {level.name}",
            level.items,
            *map(age, (level.oldest_s, level.p95_s, level.p50_s, level.goal_s)),
            "LATE" if level.is_late else "",
        )
        for level in status.levels
    ]
    return columns(("level", "dirty", "oldest", "p95", "p50", "goal", ""), rows)


def flow_line(flow: "Flow", unit: str) -> str:
    """When the backlog will be gone, in a sentence."""
    if flow.arrivals_per_cycle is None or flow.every_s is None:
        if flow.gone_in_cycles == 0:
            return "empty"
        return "when it will be gone can be told after two cycles"
    capacity = flow.capacity_per_cycle or 0
    most = "takes all" if capacity >= LARGEST else f"does up to {capacity:,.0f}"
    pace = (
        f"{flow.arrivals_per_cycle:,.0f} {unit} come in from one cycle to the next (every "
        f"{age(flow.every_s)}), a cycle {most}"
    )
    if flow.is_never:
        return f"never gone at these settings: {pace}; {flow.enough_items:,} a cycle would do"
    if not flow.gone_in_cycles:
        return f"empty; {pace}"
    when = f"about {moment(flow.gone_at)}" if flow.gone_at else "after the year 9999"
    return f"gone in {counted(flow.gone_in_cycles, 'cycle')}, {when}: {pace}"


def _running(running: "Running", unit: str) -> list[str]:
    cycle = running.cycle
    share = cycle.claimed / cycle.queued if cycle.queued else 1.0
    line = (
        f"cycle {cycle.cycle_id} runs for {seconds(cycle.duration_s)} on {printable(cycle.host)} "
        f"(process {cycle.pid}): {cycle.claimed:,} of {cycle.queued:,} {unit} ({share:.0%}), "
        f"{running.items_per_s:,.1f}/s, {counted(cycle.workers, 'worker')}, "
        f"until about {moment(running.eta)}"
    )
    waits = f"it waits: {printable(cycle.waits_for)}" if cycle.waits_for else ""
    counts = {name: getattr(cycle, name) for name in ("failed", "busy", "orphaned")}
    wrong = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    return [told for told in (line, waits, wrong) if told]


def cycle_table(cycles: "list[CycleRow]") -> list[str]:
    """Cycles as aligned lines, the last first."""
    titles = ("cycle", "began", "took", "found", "done", "failed", "busy", "orphaned", "left",
              "per s", "predicted", "oldest left", "ended by")  # fmt: skip
    rows = [
        (
            str(cycle.cycle_id),
            moment(cycle.started_at),
            seconds(cycle.duration_s),
            *(cycle.found, cycle.done, cycle.failed, cycle.busy, cycle.orphaned, cycle.remaining),
            cycle.items_per_s,
            seconds(cycle.predicted_s),
            age(cycle.oldest_left_s),
            cycle.stop_reason or "runs",
        )
        for cycle in cycles
    ]
    return columns(titles, rows, left=2)
