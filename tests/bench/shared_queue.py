"""Bars 19 and 20: the queue in the database, against the file queue and against a shorter one."""

import time
from collections.abc import Iterator
from contextlib import closing

from etl.model import Outcome, Result
from etl.queue import RowQueue, TableQueue
from tests.bench.drain import drained_s
from tests.bench.measure import Measurement, alternate, compared
from tests.bench.warehouse import SQL, Bench

_WORKERS = 2
_DONE = Result(Outcome.DONE, 1.0)
_DEAD = (
    "SELECT sum(n_tup_ins)::float8, sum(n_tup_upd + n_tup_del)::float8, sum(n_dead_tup)::float8,"
    " sum(pg_total_relation_size(relid))::float8 / 1024 ^ 2"
    " FROM pg_stat_user_tables WHERE schemaname = 'etl' AND relname = 'queue_item'"
)
_FORGET = "SELECT pg_stat_reset_single_table_counters('etl.queue_item'::regclass)"


def users(bench: Bench) -> Iterator[Measurement]:
    """Bar 19: all users, by as many workers; and what it leaves behind."""

    def drain(queue: str) -> float:
        bench.make_dirty()
        arguments = (*bench.arguments, f"--workers={_WORKERS}", f"--queue={queue}")
        bench.server.cycle(bench.database, "datamart-users", *arguments)
        return bench.users / drained_s(bench, bench.database, bench.users)[0]

    bench.rows(_FORGET)
    ours, rival = alternate(bench.size.rounds, lambda: drain("postgres"), lambda: drain("file"))
    what = f"drain of {bench.users:,} users ({bench.source}), {_WORKERS} workers"
    yield compared(19, what, ours, "file queue", rival, "/s", least=0.6)
    ((inserted, ended, dead, megabytes),) = bench.rows(_DEAD)
    yield Measurement(
        bar=19,
        what=f"row versions that end, for each of {inserted:,.0f} items queued",
        ours=f"{ended:,.0f}",
        rival="one, its DELETE",
        figure=ended / inserted,
        unit="",
        bar_at=1,
        is_least=False,
        details=(f"after {bench.size.rounds} cycles {dead:,.0f} dead rows, {megabytes:,.1f} MiB",),
    )


def claims(bench: Bench) -> Iterator[Measurement]:
    """Bar 20: claims from a long queue against a short one."""
    size = bench.size
    count = min(size.short_queue, size.claims) // 2

    def claim_us(items: int) -> float:
        server = bench.server
        server.psql(bench.database, "-v", f"items={items}", "-f", SQL / "shared_queue.sql")
        folder = server.folder / f"shared-{time.monotonic_ns()}"
        with server.connect(bench.database) as connection:
            connection.execute("SET synchronous_commit = off")  # as in workers

            def perform(action: object) -> bool:
                return action is not None

            with closing(TableQueue(folder, 0, perform, takes_outcomes=False)) as made:
                made.begin_journal()
            queue = RowQueue(folder, 0, ["item_key", "level"], 1, (60.0, 600.0))
            queue.attach(connection)
            with closing(queue):
                begun = time.perf_counter()
                for _ in range(count):
                    claim = queue.claim(1)
                    if claim is None:
                        raise ValueError("the queue is empty too early")
                    queue.acknowledge(1, claim, _DONE)
                return 1e6 * (time.perf_counter() - begun) / count

    ours, rival = alternate(
        size.rounds, lambda: claim_us(size.many_items), lambda: claim_us(size.short_queue)
    )
    what = f"claim and acknowledge, table of {size.many_items:,} items"
    yield compared(20, what, ours, f"of {size.short_queue:,} items", rival, "us", most=1.2)
