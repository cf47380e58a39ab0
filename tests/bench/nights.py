"""Bar 13: how large tables and indexes grow in a year of nightly cycles.

Each night some users have new facts, more are due by the clock, and one cycle refreshes them.
A year passes in minutes, so autovacuum looks every second; at that it looks about once a
night, where in a real year it looks a thousand times.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from etl import db
from etl.sqlfile import single, statements
from tests.bench.measure import Measurement
from tests.bench.warehouse import SQL, Bench
from tests.conftest import shipped_job

_DATABASE = "bench_nights"
_ACTIVE_PERCENT = 1
_LOOKS = 40
_BOUND = 3.0
"""A row is written anew each night where its page has room; what has none goes elsewhere."""
_STEADY = 1.1
_FIRST_NOTE = 1 << 40


class Look(NamedTuple):
    """What a table, with all that belongs to it, or an index was like once."""

    is_table: bool
    size: int
    dead_rows: int


Sizes = dict[str, Look]


def measure(bench: Bench) -> Iterator[Measurement]:
    """The largest after the first quarter, against freshly written, and against its beginning."""
    bench.server.set("autovacuum_naptime", "1s")
    try:
        seen = _year(bench)
    finally:
        bench.server.set("autovacuum_naptime", None)
    bench.server.psql(_DATABASE, "-c", "VACUUM FULL ANALYZE")
    fresh = _sizes(bench)
    later = seen[len(seen) // 4 :]
    largest = {name: max(look[name].size for look in later) for name in fresh}
    tables = [name for name in fresh if fresh[name].is_table]
    worst = max(tables, key=lambda name: largest[name] / fresh[name].size)
    yield Measurement(
        bar=13,
        what=f"largest size in {bench.size.nights} nights, {bench.size.night_users:,} users",
        ours=f"{worst} {largest[worst] / 1024:,.0f} kB",
        rival=f"freshly written {fresh[worst].size / 1024:,.0f} kB",
        figure=largest[worst] / fresh[worst].size,
        unit="x",
        bar_at=_BOUND,
        is_least=False,
        details=tuple(
            _told(name, [look[name] for look in seen], fresh[name].size, largest[name])
            for name in sorted(fresh)
        ),
    )
    steady = {
        name: largest[name] / later[0][name].size for name in tables if name.startswith("dwh.")
    }
    worst = max(steady, key=lambda name: steady[name])
    yield Measurement(
        bar=13,
        what="the same, of the tables of users",
        ours=f"{worst} {largest[worst] / 1024:,.0f} kB",
        rival=f"after the first quarter {later[0][worst].size / 1024:,.0f} kB",
        figure=steady[worst],
        unit="x",
        bar_at=_STEADY,
        is_least=False,
    )


def _year(bench: Bench) -> list[Sizes]:
    """Let the nights pass. Returns the sizes, looked at now and then."""
    size = bench.size
    first = datetime.now(UTC).date() - timedelta(days=size.nights)
    bench.server.database(_DATABASE)
    active = max(1, size.night_users * _ACTIVE_PERCENT // 100)
    night = single(SQL / "night.sql")
    seen: list[Sizes] = []
    with bench.server.connect(_DATABASE) as connection:
        with connection.transaction():
            for statement in statements(shipped_job().folder / "sample.sql"):
                db.run(connection, statement, scale=size.night_users, as_of=first)
        connection.execute("ANALYZE")
        for number in range(size.nights):
            day = first + timedelta(days=number)
            db.run(
                connection, night, users=size.night_users, active=active, day=day,
                first=_FIRST_NOTE + number * active,
            )  # fmt: skip
            arguments = (f"--as-of={day}", "--max-users=1000000", "--workers=1")
            bench.server.cycle(_DATABASE, "datamart-users", *arguments)
            if number % max(1, size.nights // _LOOKS) == 0 or number == size.nights - 1:
                seen.append(_sizes(bench))
    return seen


def _sizes(bench: Bench) -> Sizes:
    with bench.server.connect(_DATABASE) as connection:
        rows = db.run(connection, single(SQL / "sizes.sql"))
        return {name: Look(*look) for name, *look in rows}


def _told(name: str, seen: list[Look], fresh: int, largest: int) -> str:
    quarters = [seen[(len(seen) - 1) * quarter // 4].size for quarter in range(1, 5)]
    sizes = ", ".join(f"{size / 1024:,.0f}" for size in quarters)
    dead = max(look.dead_rows for look in seen)
    return (
        f"{name}: {sizes} kB at the ends of the quarters, {largest / 1024:,.0f} at most after the"
        f" first, fresh {fresh / 1024:,.0f}; dead rows {dead:,} at most"
    )
