"""Bars 16 to 18: warming caches by several workers, a run with nothing to do, and reading.

The work is that of the job cache_warm on its sample: 73 topics with four dashboards each. It
computes; or each dashboard waits, as if another server computed it.
"""

import os
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from tests.bench.drain import drained_s
from tests.bench.measure import Measurement, Samples, alone, alternate, compared, took_s
from tests.bench.server import run
from tests.bench.warehouse import SQL, Bench
from tests.conftest import REPOSITORY

_WORKERS = (1, 2, 4)
_DASHBOARDS = 73 * 4
_JOB = "cache-warm"
_SAMPLE = REPOSITORY / "sql" / "jobs" / "cache_warm" / "sample.sql"
_MARK = "INSERT INTO cache.mark (item_key) SELECT item_key FROM cache.warmed WHERE kind = 'topic'"
_READ = "\\set topic random(1, 73)\nSELECT cache.fetch(:topic, 'general');\n"
_PERCENTILES = (0.5, 0.99)


def speed_up(bench: Bench) -> Iterator[Measurement]:
    """Bar 16: how much faster w workers drain all dashboards than one does."""
    processors = os.cpu_count() or 1
    for what, database, most in (
        ("compute", _computing(bench), processors),
        ("wait", _waiting(bench), max(_WORKERS)),
    ):
        rounds = [
            {workers: _warmed(bench, database, workers) for workers in _WORKERS}
            for _ in range(bench.size.rounds)
        ]
        for workers in _WORKERS[1:]:
            ratio = Samples([taken[1][1] / taken[workers][1] for taken in rounds])
            whole = Samples([taken[1][0] / taken[workers][0] for taken in rounds])
            from_shell = " against ".join(
                Samples([taken[number][0] for taken in rounds]).told("s") for number in (workers, 1)
            )
            yield Measurement(
                bar=16,
                what=f"{_DASHBOARDS} dashboards that {what}, {workers} workers, {processors} cores",
                ours=Samples([taken[workers][1] for taken in rounds]).told("s"),
                rival=f"1 worker {Samples([taken[1][1] for taken in rounds]).told('s')}",
                figure=ratio.median,
                unit="x",
                bar_at=0.9 * min(workers, most),
                is_least=True,
                details=(f"from shell to shell {from_shell}: {whole.told('x')}",),
            )


def nothing_changed(bench: Bench) -> Iterator[Measurement]:
    """Bar 17: a run that finds everything warm, against a cycle of a job without any item."""
    database, server = _computing(bench), bench.server
    server.cycle(database, _JOB)

    def timed(job: str) -> float:
        begun = time.perf_counter()
        found = server.cycle(database, job)["found"]
        if found:
            raise ValueError(f"{job} found {found} items")
        return (time.perf_counter() - begun) * 1000

    ours, floor = alternate(bench.size.rounds, lambda: timed(_JOB), lambda: timed("nothing"))
    what, rival = "a warm run in which nothing changed", "a cycle of a job without items"
    yield compared(17, what, ours, rival, floor, "ms", most=1.1)


def reading(bench: Bench) -> Iterator[Measurement]:
    """Bar 18: how long a reader waits for one payload, in peace and while all are replaced."""
    database, server = _computing(bench), bench.server
    server.cycle(database, _JOB)
    _read(bench, database)  # what is counted is no longer every read
    server.psql(database, "-c", _MARK)
    server.cycle(database, _JOB)
    quiet = [_read(bench, database) for _ in range(bench.size.rounds)]
    busy: list[tuple[float, ...]] = []
    for _ in range(bench.size.rounds):
        server.psql(database, "-c", _MARK)
        with ThreadPoolExecutor() as pool:
            refresh = pool.submit(server.cycle, database, _JOB, "--workers=1")
            busy.append(_read(bench, database))
            refresh.result()
    for what, taken in (("in peace", quiet), ("while all are replaced", busy)):
        middle, late = (Samples([one[place] for one in taken]) for place in range(2))
        told = f"cache.fetch, one reader, {what}, 99 of 100 within"
        yield alone(18, told, late, "ms", f"half of them within {middle.told('ms')}", most=1.0)


def _computing(bench: Bench) -> str:
    """A database of which everything has been warmed once."""

    def fill(name: str) -> None:
        bench.deploy(name)
        with bench.server.connect(name) as connection:
            ((today,),) = connection.execute("SELECT (now() AT TIME ZONE 'UTC')::date").fetchall()
        scale = f"scale={bench.size.cache_entries}"
        given = ["-1", "-v", scale, "-v", f"as_of={today}"]
        bench.server.psql(name, *given, "-f", _SAMPLE)
        bench.server.psql(name, "-c", "VACUUM ANALYZE")
        bench.server.cycle(name, _JOB)

    return bench.server.database("bench_caches", fill)


def _waiting(bench: Bench) -> str:
    """The same with next to no entries, where dashboards wait."""

    def fill(name: str) -> None:
        bench.deploy(name)
        wait = f"wait_s={bench.size.cache_wait_s}"
        bench.server.psql(name, "-v", wait, "-f", SQL / "cache_waits.sql")
        topics = (
            "INSERT INTO cache.topics (name) SELECT 'topic ' || n FROM generate_series(1, 73) n"
        )
        bench.server.psql(name, "-c", topics)
        bench.server.cycle(name, _JOB, "--workers=4")

    return bench.server.database("bench_cache_waits", fill)


def _warmed(bench: Bench, database: str, workers: int) -> tuple[float, float]:
    """Mark all dashboards and warm them. Returns what it took, in all and draining, seconds."""
    bench.server.psql(database, "-c", _MARK, "-c", "CHECKPOINT")
    whole_s = took_s(lambda: bench.server.cycle(database, _JOB, f"--workers={workers}"))
    return whole_s, drained_s(bench, database, _DASHBOARDS)[0]


def _read(bench: Bench, database: str) -> tuple[float, ...]:
    """Read payloads by pgbench. Returns within how long half and 99 of 100 came, milliseconds."""
    server = bench.server
    script, prefix = server.folder / "fetch.sql", server.folder / "fetch"
    script.write_text(_READ)
    for old in server.folder.glob("fetch.*[0-9]"):
        old.unlink()
    run(
        [server.program("pgbench"), "-n", "-M", "prepared", "-t", str(bench.size.cache_reads),
         "-l", f"--log-prefix={prefix}", "-f", script, server.dsn(database)],
        server.environment(database),
    )  # fmt: skip
    (log,) = (path for path in server.folder.glob("fetch.*") if re.search(r"\.\d+\Z", path.name))
    taken = sorted(int(line.split()[2]) / 1000 for line in log.read_text().splitlines())
    return tuple(taken[int(share * (len(taken) - 1))] for share in _PERCENTILES)
