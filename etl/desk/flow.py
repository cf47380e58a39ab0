"""When a backlog will be gone: what comes in against what is done."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from etl import db
from etl.sqlfile import shipped

_HEADROOM = 1.2


@dataclass(frozen=True, slots=True)
class Flow:
    """Arrival and service, of the latest cycles.

    Attributes:
        cycles: How many they were; two at least, else nothing else is known.
        every_s: A cycle began every so many seconds, on the average.
        arrivals_per_cycle: So many items became dirty from one cycle to the next.
        capacity_per_cycle: So many a cycle can do at these settings.
        is_never: The backlog does not get smaller.
        gone_in_cycles: After that many more it will be gone; 0: it is; None: never, or unknown.
        gone_at: When that will be; None: never, unknown, or beyond the year 9999.
        enough_items: Items a cycle that would do, where it is never.
    """

    cycles: int
    every_s: float | None = None
    arrivals_per_cycle: float | None = None
    capacity_per_cycle: float | None = None
    is_never: bool = False
    gone_in_cycles: int | None = None
    gone_at: datetime | None = None
    enough_items: int | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What the ledger tells of the latest cycles: the columns of sql/engine/desk/flow.sql."""

    cycles: int
    first_started_at: datetime | None
    last_started_at: datetime | None
    first_found: int | None
    done: int
    last_max_items: int | None
    cut: int
    done_when_cut: float | None
    last_stop_reason: str | None


def look(connection: db.Connection, job: str, backlog: int, now: datetime) -> Flow:
    """Arrival and service of a job.

    Args:
        connection: Where.
        job: The job.
        backlog: How many items are dirty now.
        now: The moment of asking.
    """
    return judge(Seen(*db.one(connection, shipped("desk/flow"), job=job)), backlog, now)


def judge(seen: Seen, backlog: int, now: datetime) -> Flow:
    """When the backlog will be gone, from what was seen.

    What came in since the first of these cycles began is what is dirty now and was not then,
    and what was done meanwhile.
    """
    first, last = seen.first_started_at, seen.last_started_at
    if seen.cycles < 2 or first is None or last is None or last <= first:
        return Flow(seen.cycles, gone_in_cycles=0 if not backlog else None)
    every_s = (last - first).total_seconds() / (seen.cycles - 1)
    watched_s = max(1.0, (max(now, last) - first).total_seconds())
    arrivals = max(0, backlog - (seen.first_found or 0) + seen.done) / watched_s * every_s
    capacity = float(seen.last_max_items or 0)
    # A cycle that its time limit ended did what it can; one that was drained could do more.
    if seen.cut and seen.done_when_cut is not None and seen.last_stop_reason == "time limit":
        capacity = seen.done_when_cut
    if not backlog:
        return Flow(seen.cycles, every_s, arrivals, capacity, gone_in_cycles=0, gone_at=now)
    if arrivals >= capacity:
        enough = max(1, math.ceil(arrivals * _HEADROOM))
        return Flow(seen.cycles, every_s, arrivals, capacity, is_never=True, enough_items=enough)
    needed = max(1, math.ceil((backlog - arrivals) / (capacity - arrivals)))
    gone_at = later(last, needed * every_s)
    gone_at = gone_at and max(now, gone_at)
    return Flow(seen.cycles, every_s, arrivals, capacity, gone_in_cycles=needed, gone_at=gone_at)


def later(moment: datetime, seconds: float) -> datetime | None:
    """A moment so many seconds later; None: beyond the year 9999, at hardly any progress."""
    try:
        return moment + timedelta(seconds=seconds)
    except OverflowError:
        return None
