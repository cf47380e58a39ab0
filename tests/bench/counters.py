"""Bar 14: counter caches of a social network, against plain UPDATEs of the whole table."""

import statistics
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

from etl import db
from etl.sqlfile import statements
from tests import network
from tests.bench.measure import Measurement, Samples, alternate, compared, took_s
from tests.bench.server import run
from tests.bench.warehouse import SQL, Bench

_NAME = "bench_counters"
_PUBLISHED_S = 300.0
"""The shortest time that has been published for 1,091,000 users: 5 to 15 minutes."""
_CLIENTS, _RATE = 4, 200
_COUNT = (
    "SELECT (SELECT count(*) FROM social.users), (SELECT count(*) FROM social.follows),"
    " (SELECT count(*) FROM social.posts), (SELECT max(user_id) FROM social.users)"
)


def measure(bench: Bench) -> Iterator[Measurement]:
    """A cycle over all users and counters, all of them wrong, from shell to shell."""
    stage = _Network(bench)
    ours, plain = alternate(bench.size.rounds, stage.cycle_s, stage.plain_s)
    quiet, busy = stage.latencies(max(1, int(ours.median * 0.6)))
    details = (
        f"longest batch, so the longest lock of a row: {stage.longest_ms:,.0f} ms;"
        " of a plain UPDATE all rows are locked until it ends",
        *(f"{what}: {quiet[what]} without, {busy[what]} while it runs" for what in quiet),
    )
    what = f"counters of {stage.told}"
    yield compared(14, what, ours, "3 plain UPDATEs", plain, "s", *details, most=1.5)
    yield Measurement(
        14, f"{what}, beside background jobs", ours.told("s"), f"published {_PUBLISHED_S:.0f} s",
        _PUBLISHED_S / ours.median, "x", 10, is_least=True,
    )  # fmt: skip


class _Network:
    """Databases with the same stale counters, one for each measurement."""

    def __init__(self, bench: Bench) -> None:
        self._bench, self._server = bench, bench.server
        self._server.database(_NAME, self._fill)
        ((users, follows, posts, self._largest),) = bench.rows(_COUNT, _NAME)
        self.told = f"{users:,} users, {follows:,} follows, {posts:,} posts"
        self._numbers = count(1)
        self.longest_ms = 0.0

    def _fill(self, name: str) -> None:
        with self._server.connect(name) as connection:
            network.install(connection)
            with connection.transaction():
                for statement in statements(network.shipped().folder / "sample.sql"):
                    db.run(connection, statement, scale=self._bench.size.counter_users)
            connection.execute("VACUUM ANALYZE")

    def _cycle(self, name: str) -> None:
        record = self._server.cycle(name, "counter-caches", "--workers=1")
        if record["remaining"] or record["failed"]:
            raise ValueError(f"not everybody has been counted: {record}")

    def cycle_s(self) -> float:
        name = self._server.copy(_NAME)
        taken = took_s(lambda: self._cycle(name))
        ((longest,),) = self._bench.rows("SELECT max(duration_ms) FROM etl.attempt", name)
        self.longest_ms = max(self.longest_ms, float(longest))
        with self._server.connect(name) as connection:
            wrong = db.run(connection, network.shipped().verify).fetchall()
        if wrong:
            raise ValueError(f"{len(wrong)} counters are wrong, such as {wrong[0]}")
        self._server.drop(name)
        return taken

    def plain_s(self) -> float:
        name = self._server.copy(_NAME)
        taken = took_s(lambda: self._server.psql(name, "-f", SQL / "counters_plain.sql"))
        self._server.drop(name)
        return taken

    def latencies(self, seconds: int) -> tuple[dict[str, str], dict[str, str]]:
        """What readers and writers wait, without a cycle and while one runs."""
        name = self._server.copy(_NAME)
        quiet = self._load(name, seconds)
        with ThreadPoolExecutor(1) as threads:
            cycle = threads.submit(self._cycle, name)
            busy = self._load(name, seconds)
            cycle.result()
        self._server.drop(name)
        return quiet, busy

    def _load(self, name: str, seconds: int) -> dict[str, str]:
        prefix = self._server.folder / f"latency_{next(self._numbers)}"
        run([
            self._server.program("pgbench"), "-n", f"-T{seconds}", f"-c{_CLIENTS}", f"-R{_RATE}",
            "-D", f"users={self._largest}", "-f", SQL / "counters_read.sql",
            "-f", SQL / "counters_write.sql", "-l", f"--log-prefix={prefix}",
            self._server.dsn(name, "etl"),
        ])  # fmt: skip
        return {what: _told(prefix, script) for script, what in enumerate(("a reader", "a writer"))}


def _told(prefix: Path, script: int) -> str:
    """Percentiles of what pgbench has logged: client, transaction, microseconds, script, …, lag."""
    lines = [
        line.split()
        for path in prefix.parent.glob(f"{prefix.name}.*")
        for line in path.read_text().splitlines()
    ]
    taken = sorted((int(x[2]) - int(x[6])) / 1000 for x in lines if int(x[3]) == script)
    cuts = Samples(statistics.quantiles(taken, n=100)).values
    return f"median {cuts[49]:.2f}, 99 % {cuts[98]:.1f}, longest {taken[-1]:.0f} ms"
