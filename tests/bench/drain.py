"""Bars 1 and 2: a drain against pgbench, which runs the same CALL over the same keys.

pgbench has as many connections, prepared statements and the settings that a worker makes.
The queue's order is that of the keys, so that both work on the same items in the same order.
What a cycle did is read from its ledger, the order from its queue file.
"""

import re
from collections.abc import Callable, Iterator

from tests.bench.measure import Measurement, Samples, alternate, compared, took_s
from tests.bench.server import run
from tests.bench.warehouse import Bench

_WORKERS = 2
"""Of the drains that other bars are measured with."""
_PGOPTIONS = "-c synchronous_commit=off -c jit=off"
_DRAINED = (
    "SELECT extract(EPOCH FROM max(finished_at)"
    " - min(finished_at - duration_ms * interval '1 ms'))::float8,"
    " count(*) FILTER (WHERE outcome = 'done'), sum(duration_ms)::float8 / 1000"
    " FROM etl.attempt WHERE cycle_id = (SELECT max(cycle_id) FROM etl.cycle)"
)


class Drain:
    """Drains of a job's items by `etl` and by pgbench, as often as asked for.

    Args:
        bench: Where.
        database: Of the items; their keys are numbered from 1.
        job: The job's command.
        call: The statement for the item with the key :id.
    """

    def __init__(self, bench: Bench, database: str, job: str, call: str) -> None:
        self._bench, self._database, self._job, self._call = bench, database, job, call
        self.is_in_order = True

    def ours(self, items: int, workers: int, *arguments: str) -> tuple[float, float]:
        """Items a second while draining, and from shell to shell."""
        job, server = self._job, self._bench.server
        options = (f"--workers={workers}", *arguments)
        whole_s = took_s(lambda: server.cycle(self._database, job, *options))
        queues = server.folder.glob(f"cycles/*/{job.replace('-', '_')}/cycle-*/queue.tsv")
        newest = max(queues, key=lambda path: path.stat().st_mtime_ns)
        keys = [line.split("\t")[0] for line in newest.read_text().splitlines()[1:]]
        self.is_in_order &= keys == [str(key) for key in range(1, items + 1)]
        return items / drained_s(self._bench, self._database, items)[0], items / whole_s

    def theirs(self, items: int, workers: int) -> float:
        """Items a second; client c of n has the keys c + 1, c + 1 + n, c + 1 + 2 n, …"""
        server = self._bench.server
        script = server.folder / "pgbench.sql"
        script.write_text(
            f"\\set n :n + 1\n\\set id 1 + (:n * {workers} + :client_id) % {items}\n{self._call}\n"
        )
        each = -(-items // workers)
        clients = ["-n", "-M", "prepared", "-D", "n=-1", "-c", str(workers), "-j", str(workers)]
        said = run(
            [server.program("pgbench"), *clients, "-t", str(each), "-f", script,
             server.dsn(self._database)],
            {**server.environment(self._database), "PGOPTIONS": _PGOPTIONS},
        )  # fmt: skip
        found = re.search(r"tps = ([\d.]+)", said)
        if found is None:
            raise ValueError(f"pgbench says no figure: {said}")
        return float(found[1])


def users(bench: Bench) -> Iterator[Measurement]:
    """Bar 1: all users."""
    call = f"CALL dwh.update_datamart_user(:id, '{bench.as_of}');"
    drain = Drain(bench, bench.database, "datamart-users", call)
    what = f"drain of {bench.users:,} users ({bench.source})"
    for workers in (1, 2):
        figures = _rates(drain, bench, bench.users, workers, bench.make_dirty, bench.arguments)
        if workers == _WORKERS:
            whole, ours, _ = figures
            bench.drained.extend(zip(ours.values, whole.values, strict=True))
        yield _compared(1, f"{what}, {workers} connection(s)", figures, 0.95, drain)


def everybody(bench: Bench) -> tuple[Samples, Samples]:
    """Drains of all users by 2 workers, those of bar 1 where it has been measured.

    Returns:
        Users a second while draining, and from shell to shell.
    """
    drain = Drain(bench, bench.database, "datamart-users", "")
    while len(bench.drained) < bench.size.rounds:
        bench.make_dirty()
        bench.drained.append(drain.ours(bench.users, _WORKERS, *bench.arguments))
    draining, whole = zip(*bench.drained, strict=True)
    return Samples(draining), Samples(whole)


def nothing(bench: Bench) -> Iterator[Measurement]:
    """Bar 2: a statement that does nothing."""
    items = bench.size.nothing_items
    database = fill_nothing(bench, items)
    drain = Drain(bench, database, "nothing", "CALL bench_nothing.nothing(:id);")
    what = f"drain of {items:,} items that cost nothing"

    def prepare() -> None:
        bench.server.psql(database, "-c", "CHECKPOINT")

    for workers in (1, 2):
        figures = _rates(drain, bench, items, workers, prepare, (f"--max-items={items}",))
        yield _compared(2, f"{what}, {workers} connection(s)", figures, 0.75, drain)


def _rates(
    drain: Drain,
    bench: Bench,
    items: int,
    workers: int,
    prepare: Callable[[], None],
    arguments: tuple[str, ...],
) -> tuple[Samples, Samples, Samples]:
    """Items a second: ours from shell to shell, ours while draining, theirs."""
    whole: list[float] = []

    def ours() -> float:
        prepare()
        rate, cycle = drain.ours(items, workers, *arguments)
        whole.append(cycle)
        return rate

    def theirs() -> float:
        prepare()
        return drain.theirs(items, workers)

    return (Samples(whole), *alternate(bench.size.rounds, ours, theirs))


def _compared(
    bar: int, what: str, rates: tuple[Samples, Samples, Samples], bar_at: float, drain: Drain
) -> Measurement:
    whole, ours, theirs = rates
    order = "in the order of the keys on both sides"
    details = (
        f"from shell to shell {whole.told('/s')}",
        order if drain.is_in_order else f"NOT {order}: the queue has another one",
    )
    return compared(bar, what, ours, "pgbench", theirs, "/s", *details, least=bar_at)


def fill_nothing(bench: Bench, items: int) -> str:
    """A database with so many items that cost nothing."""

    def fill(name: str) -> None:
        bench.deploy(name)
        insert = f"INSERT INTO bench_nothing.item SELECT generate_series(1, {items})"
        bench.server.psql(name, "-c", insert, "-c", "VACUUM ANALYZE")

    return bench.server.database(f"bench_nothing_{items}", fill)


def drained_s(bench: Bench, database: str, items: int) -> tuple[float, float]:
    """What the last cycle took from its first claim to its last outcome, and its items in sum.

    Both in seconds.

    Raises:
        ValueError: It did not finish this many items.
    """
    ((seconds, done, work_s),) = bench.rows(_DRAINED, database)
    if done != items:
        raise ValueError(f"the cycle finished {done} of {items} items")
    return float(seconds), float(work_s)
