"""Bars 5 and 6: the prioritization of many dirty users, written to the queue."""

import shutil
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime

from etl import db
from etl.backlog import Backlog
from etl.db import Connection
from etl.ledger.cost import Budget
from etl.model import CycleRecord
from etl.queue import FileQueue
from etl.settings import ItemLimit
from tests.bench.measure import Measurement, Samples, alone, alternate, compared
from tests.bench.warehouse import SQL, Bench
from tests.conftest import shipped_job
from tests.support import nodes

_AS_OF = date(2026, 1, 16)
_RESERVED_PERCENT = 10
_TIMES = 3
"""Measured per round: one is done in less than a second."""


def growth(bench: Bench) -> Iterator[Measurement]:
    """Bar 5: the same dirty users with few facts and with ten times as many."""
    size = bench.size
    few, many = _warehouse(bench, size.few_facts), _warehouse(bench, size.many_facts)
    with bench.server.connect(few) as small, bench.server.connect(many) as large:
        times = _TIMES * size.rounds
        ours, rival = alternate(
            times, lambda: _freeze(bench, large)[1], lambda: _freeze(bench, small)[1]
        )
        read = [_rows_read(connection, size.listed_users) for connection in (small, large)]
    what = f"prioritization of {size.listed_users:,} dirty users with {size.many_facts:,} facts"
    with_few = f"with {size.few_facts:,} facts"
    detail = f"rows read per dirty user: {read[0]:.2f} with few facts, {read[1]:.2f} with many"
    yield compared(5, what, ours, with_few, rival, "ms", detail, most=1.2)


def duration(bench: Bench) -> Iterator[Measurement]:
    """Bar 6: what it takes."""
    size = bench.size
    with bench.server.connect(_warehouse(bench, size.few_facts)) as connection:
        taken = [_freeze(bench, connection) for _ in range(_TIMES * size.rounds)]
    counted, frozen = (Samples([both[place] for both in taken]) for place in (0, 1))
    what = f"prioritization of {size.listed_users:,} dirty users, written to the queue"
    detail = f"the count of the backlog before it: {counted.told('ms')}"
    yield alone(6, what, frozen, "ms", detail, most=250)


def _warehouse(bench: Bench, facts: int) -> str:
    """A warehouse of dirty users with so many facts."""
    users = bench.size.listed_users

    def fill(name: str) -> None:
        values = {"first": 1, "notes": facts * 2 // 3, "users": users, "as_of": _AS_OF}
        named = [f"--set={key}={value}" for key, value in values.items()]
        country = "INSERT INTO dwh.dimension_countries (country_name) VALUES ('Colombia')"
        insert = (
            "INSERT INTO dwh.dimension_users (username)"
            f" SELECT 'user' || i FROM generate_series(1, {users}) AS i"
        )
        bench.server.psql(name, "-c", country, "-c", insert)
        bench.server.psql(name, *named, "-1", "-f", SQL / "facts.sql")
        bench.server.psql(name, "-f", SQL / "activity.sql")

    return bench.server.database(f"bench_facts_{facts}", fill)


def _freeze(bench: Bench, connection: Connection) -> tuple[float, float]:
    """Count and freeze the backlog as a cycle does. Returns what each took, milliseconds."""
    users = bench.size.listed_users
    folder = bench.server.folder / "frozen"
    shutil.rmtree(folder, ignore_errors=True)
    record = CycleRecord("datamart_users", datetime.now(UTC), _AS_OF, users)
    backlog = Backlog(connection, shipped_job(), record, ["as_of"])
    with closing(FileQueue(folder)) as queue, backlog.snapshot():
        begun = time.perf_counter()
        backlog.count(ItemLimit(users))
        counted = time.perf_counter()
        listed = backlog.freeze(queue, _RESERVED_PERCENT, Budget(None, 1, None))
        frozen = time.perf_counter()
    if listed != users:
        raise ValueError(f"{listed} of {users} users were listed")
    return 1000 * (counted - begun), 1000 * (frozen - counted)


def _rows_read(connection: Connection, users: int) -> float:
    """Rows of tables that the prioritization reads for each dirty user."""
    statement = shipped_job().prioritize
    values = {
        "as_of": _AS_OF,
        "now": datetime.now(UTC),
        "max_items": users,
        "reserved_percent": _RESERVED_PERCENT,
    }
    with db.explained(connection, statement):
        ((plan,),) = connection.execute(
            b"EXPLAIN (ANALYZE, FORMAT JSON) " + statement.text, statement.bind(values)
        ).fetchall()
    read = sum(
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        for node in nodes(plan[0]["Plan"])
        if "Relation Name" in node
    )
    return float(read) / users
