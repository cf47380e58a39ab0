"""Bars 4 and 12: against the floor, one set-based computation of every user's row."""

import time
from collections.abc import Callable, Iterator

from tests.bench.measure import Measurement, alternate
from tests.bench.warehouse import SQL, Bench

_WORKERS = 2


def drain(bench: Bench) -> Iterator[Measurement]:
    """Bar 4: a drain of everybody, a transaction for each."""
    job = ("datamart-users", *bench.arguments, f"--workers={_WORKERS}")

    def ours() -> float:
        bench.make_dirty()
        return _timed(lambda: bench.server.etl(bench.database, *job))

    yield _compared(bench, 4, f"drain, {_WORKERS} workers, from shell to shell", ours, 5)


def verify(bench: Bench) -> Iterator[Measurement]:
    """Bar 12: verify of everybody; all are clean."""
    bench.refresh()
    job = ("verify", "datamart-users", f"--as-of={bench.as_of}")

    def ours() -> float:
        return _timed(lambda: bench.server.etl(bench.database, *job))

    yield _compared(bench, 12, "verify", ours, 3)


def _compared(
    bench: Bench, bar: int, what: str, ours: Callable[[], float], bar_at: float
) -> Measurement:
    def floor() -> float:
        """Rolled back, which the rival gains from: its commit is not waited for."""
        script = ("-c", "BEGIN", "-f", SQL / "floor.sql", "-c", "ROLLBACK")
        return _timed(
            lambda: bench.server.psql(bench.database, "-v", f"as_of={bench.as_of}", *script)
        )

    mine, rival = alternate(bench.size.rounds, ours, floor)
    return Measurement(
        bar=bar,
        what=f"{what}, {bench.users:,} users ({bench.source})",
        ours=mine.told("s"),
        rival=f"floor.sql {rival.told('s')}",
        figure=mine.median / rival.median,
        unit="x",
        bar_at=bar_at,
        is_least=False,
    )


def _timed(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun
