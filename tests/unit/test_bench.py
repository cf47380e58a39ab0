"""What a bench concludes from what it saw: pure functions, no server."""

from dataclasses import replace
from typing import Any

import pytest

from etl.bench.plan import read_plan
from etl.bench.report import Spread
from etl.bench.waits import At, Load, Resource, Seen, limit_of
from etl.queryplan import Node

RUNNING = Seen("active", None, None)
IDLE = Seen("idle in transaction", "Client", "ClientRead")
LOCAL = Load(
    seen={RUNNING: 90, IDLE: 10},
    workers=4,
    speed_up=3.8,
    client_busy=0.1,
    host_busy=0.95,
    is_local=True,
)


@pytest.mark.parametrize(
    ("seen", "at"),
    [
        (RUNNING, At.RUNNING),
        (IDLE, At.CLIENT),
        (Seen("idle", "Client", "ClientRead"), At.CLIENT),
        (Seen("active", "Client", "ClientWrite"), At.CLIENT),
        (Seen("active", "IO", "DataFileRead"), At.DISK),
        (Seen("active", "IPC", "BufferIO"), At.DISK),
        (Seen("active", "IO", "WALWrite"), At.WAL),
        (Seen("active", "LWLock", "WALInsert"), At.WAL),
        (Seen("active", "LWLock", "BufferContent"), At.LOCKS),
        (Seen("active", "Lock", "transactionid"), At.LOCKS),
        (Seen("active", "Timeout", "PgSleep"), At.OTHER),
        (Seen(None, None, None), At.CLIENT),
    ],
)
def test_what_a_backend_is_at(seen: Seen, at: At) -> None:
    assert seen.at is at


@pytest.mark.parametrize(
    ("load", "resource"),
    [
        (LOCAL, Resource.PROCESSORS),
        (replace(LOCAL, host_busy=0.3), Resource.WORKERS),
        (replace(LOCAL, host_busy=0.3, speed_up=2.0), Resource.SERVER),
        (replace(LOCAL, host_busy=None, is_local=False), Resource.WORKERS),
        (replace(LOCAL, is_local=False, speed_up=1.5), Resource.SERVER),
        (replace(LOCAL, is_local=False, workers=1, speed_up=1.0), Resource.WORKERS),
        (replace(LOCAL, seen={Seen("active", "IO", "DataFileRead"): 20}), Resource.DISK),
        (replace(LOCAL, seen={Seen("active", "IO", "WALSync"): 20}), Resource.WAL),
        (replace(LOCAL, seen={Seen("active", "Lock", "tuple"): 20}), Resource.LOCKS),
        (replace(LOCAL, seen={Seen("active", "Timeout", "PgSleep"): 20}), Resource.OTHER),
        (replace(LOCAL, seen={IDLE: 20}), Resource.PROCESSORS),
        (replace(LOCAL, seen={IDLE: 20}, host_busy=0.2), Resource.NETWORK),
        (replace(LOCAL, seen={IDLE: 20}, host_busy=0.2, client_busy=0.8), Resource.CLIENT),
        (replace(LOCAL, seen={IDLE: 20}, is_local=False, client_busy=0.8), Resource.CLIENT),
        (replace(LOCAL, seen={RUNNING: 9}), Resource.UNKNOWN),
        (replace(LOCAL, seen={}), Resource.UNKNOWN),
    ],
)
def test_the_limit_is_what_the_backends_are_mostly_at(load: Load, resource: Resource) -> None:
    assert limit_of(load).resource is resource


def test_the_commonest_wait_of_the_limit_is_named() -> None:
    tuples, others = Seen("active", "Lock", "tuple"), Seen("active", "Lock", "transactionid")
    load = replace(LOCAL, seen={RUNNING: 20, tuples: 9, others: 12})
    assert load.shares == {At.LOCKS: 21 / 41, At.RUNNING: 20 / 41}
    assert limit_of(load).event == "Lock transactionid"


def scan(relation: str, rows: float, loops: int = 1) -> dict[str, Any]:
    place = {"Node Type": "Seq Scan", "Schema": "s", "Relation Name": relation}
    return {**place, "Plan Rows": 1, "Actual Rows": rows, "Actual Loops": loops}


def test_rows_read_are_those_thrown_away_as_well_in_every_loop() -> None:
    plan: dict[str, Any] = {
        "Node Type": "Sort",
        "Plan Rows": 1,
        "Sort Space Type": "Disk",
        "Temp Written Blocks": 7,
        "Plans": [
            {**scan("page", 10.0, 3), "Rows Removed by Filter": 990},
            {**scan("page", 5), "Node Type": "Index Scan"},
            scan("held", 100),
            scan("never", 0.0, 0),
            {**scan("t", 1), "Node Type": "ModifyTable"},
            {"Node Type": "CTE Scan", "CTE Name": "c", "Plan Rows": 50},
        ],
    }
    reads = read_plan(Node(plan))
    told = [(one.relation, one.rows, one.removed, one.by_seq_scan) for one in reads.relations]
    assert told == [("s.page", 3005, 2970, 3000), ("s.held", 100, 0, 100), ("s.never", 0, 0, 0)]
    assert (reads.rows, reads.sorts_on_disk, reads.temp_blocks) == (3105, 1, 7)


@pytest.mark.parametrize(
    ("rows", "items", "is_beyond"),
    [(1000, 0, False), (1001, 0, True), (4000, 1000, False), (4001, 1000, True)],
)
def test_what_is_read_beyond_the_backlog(rows: int, items: int, is_beyond: bool) -> None:
    assert bool(read_plan(Node(scan("page", rows))).beyond(items)) is is_beyond


def test_a_spread_of_one_and_of_many() -> None:
    assert Spread.of([3.0]) == Spread(3.0, 3.0, 3.0, 3.0)
    spread = Spread.of([float(number) for number in range(101, 0, -1)])
    assert spread == Spread(51.0, 51.0, 96.0, 101.0)
