"""``etl plan``: what a cycle started now would do."""

import os
from dataclasses import asdict
from typing import TYPE_CHECKING

from etl import settings
from etl.cli.database import connected
from etl.cli.jobs import job_named
from etl.cli.options import (
    AsOf,
    Dsn,
    JobName,
    Json,
    MaxItems,
    ReservedPercent,
    TimeLimit,
    Workers,
    day,
)
from etl.cli.output import Cell, columns, tell, to_json
from etl.cli.render import prediction_line
from etl.cli.words import age, counted, seconds

if TYPE_CHECKING:
    from etl.desk.plan import Plan, PlannedItem


def plan(
    job: JobName,
    max_items: MaxItems = None,
    workers: Workers = None,
    time_limit: TimeLimit = None,
    reserved_percent: ReservedPercent = None,
    as_of: AsOf = None,
    json_output: Json = False,
    dsn: Dsn = None,
) -> None:
    """Say what a cycle started now would do; write nothing.

    Which items it would take, who is cut off, how long it would take by what the cycles before
    took, and whether the server has connections for it. The environment counts as for a cycle.
    """
    from etl.desk.plan import look

    found = job_named(job)
    options = settings.CycleOptions(
        as_of=day(as_of),
        limit=settings.ItemLimit.read(max_items, os.environ, found.unit, found.max_items),
        workers=settings.workers(workers, os.environ)[0],
        reserved_percent=settings.reserved_percent(
            reserved_percent, os.environ, found.reserved_percent
        ),
        time_limit_s=settings.time_limit_s(time_limit, os.environ, found.time_limit_s),
    )
    with connected(dsn, "plan", found) as connection:
        planned = look(connection, found, options)
    tell(to_json(asdict(planned)) if json_output else as_text(planned))


def as_text(plan: "Plan") -> str:
    """A plan for people."""
    taken = f"{plan.queued:,} of {plan.found:,} {plan.unit}s"
    lines = [f"{plan.title}: a cycle now would take {taken}, as of {plan.as_of}", _limits(plan)]
    lines += ["", *_levels(plan), ""]
    if plan.first:
        lines += [*_items(plan.first + plan.last, plan), ""]
    lines.append(f"duration: {_duration(plan)}")
    told = plan.connections
    fits = "" if told.needed <= told.free else ": too few, take fewer workers"
    lines.append(f"connections: {told.needed} needed, {told.free} of {told.most} free{fits}")
    if plan.held or plan.quarantined:
        lines.append(f"left out: {plan.held:,} held, {plan.quarantined:,} quarantined")
    return "\n".join(lines)


def _limits(plan: "Plan") -> str:
    kind = "limit for catching up" if plan.is_catch_up else "limit"
    told = f"{kind} {plan.max_items:,}"
    if plan.time_limit_s is not None:
        told += f", time limit {seconds(plan.time_limit_s)}"
        told += ", which cuts it" if plan.is_cut_by_time else ""
    share = f"{plan.reserved_percent} % of the places"
    return f"{told}; {plan.reserved:,} places ({share}) are for those that have been dirty longest"


def _levels(plan: "Plan") -> list[str]:
    titles = ("level", "dirty", "taken", "cut off", "oldest of them", "p50", "goal")
    rows: list[tuple[Cell, ...]] = [
        (
            f"{level.level} {level.name}",
            *(level.found, level.queued, level.cut_off),
            *map(age, (level.cut_off_oldest_s, level.cut_off_p50_s, level.goal_s)),
        )
        for level in plan.levels
    ]
    return columns(titles, rows)


def _items(items: "list[PlannedItem]", plan: "Plan") -> list[str]:
    names = {level.level: level.name for level in plan.levels}
    rows = [
        (item.item_key, names.get(item.level, f"level {item.level}"), item.position, item.weight)
        for item in items
    ]
    return columns((plan.unit, "level", "place", "weight"), rows, left=2)


def _duration(plan: "Plan") -> str:
    if plan.predicted is None:
        return "nothing to do" if not plan.queued else "unknown until a cycle has done something"
    return (
        f"{prediction_line(plan.predicted)}, with {counted(plan.workers, 'worker')}; "
        f"learned from {counted(plan.learned_from, 'cycle')}"
    )
