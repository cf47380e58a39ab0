"""Bar 8: how long a drain of items of unlike cost takes, against the ideal.

The ideal is what the items took in sum, as the ledger has it, shared evenly by the workers.
"""

import math
from collections.abc import Iterator

from tests.bench.drain import drained_s
from tests.bench.measure import Measurement, Samples
from tests.bench.warehouse import SQL, Bench

_LEAST_S = 0.001
_MEAN_FACTOR = 999 / math.log(1000)
"""Of costs that are spread evenly over the powers from 1 to 1,000."""
_ROUNDS_PER_S = 10_000_000
"""About what the loop of bench_costly.spend does."""


def measure(bench: Bench) -> Iterator[Measurement]:
    """Items that sleep, on 4 workers, and items that compute, on 2."""
    database = bench.server.database("bench_costly", bench.deploy)
    for what, workers, seconds in (("sleep", 4, 1.0), ("compute", 2, 0.5)):
        items = max(8, round(workers * seconds * bench.size.makespan_s / _LEAST_S / _MEAN_FACTOR))
        least = {"sleep": _LEAST_S, "compute": _LEAST_S * _ROUNDS_PER_S}
        chosen = {kind: cost if kind == what else 0 for kind, cost in least.items()}
        named = [
            f"--set=items={items}",
            f"--set=sleep_s={chosen['sleep']}",
            f"--set=rounds={chosen['compute']:.0f}",
        ]
        bench.server.psql(database, *named, "-f", SQL / "costly_items.sql")
        taken = [_drain(bench, database, items, workers) for _ in range(bench.size.rounds)]
        ratio = Samples([work_s / workers / seconds for seconds, work_s in taken])
        yield Measurement(
            bar=8,
            what=f"drain of {items:,} items that {what}, 1 : 1,000, {workers} workers",
            ours=Samples([seconds for seconds, _ in taken]).told("s"),
            rival=f"ideal {Samples([work_s / workers for _, work_s in taken]).told('s')}",
            figure=ratio.median,
            unit="x",
            bar_at=0.97,
            is_least=True,
        )


def _drain(bench: Bench, database: str, items: int, workers: int) -> tuple[float, float]:
    bench.server.cycle(database, "costly", f"--max-items={items}", f"--workers={workers}")
    return drained_s(bench, database, items)
