"""Bars 4 and 12: against the floor, one set-based computation of every user's row."""

from collections.abc import Iterator

from tests.bench.drain import everybody
from tests.bench.measure import Measurement, Samples, alternate, compared, took_s
from tests.bench.warehouse import SQL, Bench


def drain(bench: Bench) -> Iterator[Measurement]:
    """Bar 4: a drain of everybody, a transaction for each, from shell to shell."""
    _, rates = everybody(bench)
    ours = Samples([bench.users / rate for rate in rates.values])
    floor = Samples([_floor_s(bench) for _ in range(bench.size.rounds)])
    yield _compared(bench, 4, "drain, 2 workers", (ours, floor), 5)


def verify(bench: Bench) -> Iterator[Measurement]:
    """Bar 12: verify of everybody; all are clean."""
    bench.refresh()
    command = ("verify", "datamart-users", f"--as-of={bench.as_of}")

    def ours() -> float:
        return took_s(lambda: bench.server.etl(bench.database, *command))

    both = alternate(bench.size.rounds, ours, lambda: _floor_s(bench))
    yield _compared(bench, 12, "verify", both, 3)


def _floor_s(bench: Bench) -> float:
    """What the floor takes, seconds; rolled back, so its commit is not waited for."""
    script = ("-c", "BEGIN", "-f", SQL / "floor.sql", "-c", "ROLLBACK")
    return took_s(lambda: bench.server.psql(bench.database, "-v", f"as_of={bench.as_of}", *script))


def _compared(
    bench: Bench, bar: int, what: str, both: tuple[Samples, Samples], bar_at: float
) -> Measurement:
    ours, floor = both
    what = f"{what}, {bench.users:,} users ({bench.source})"
    return compared(bar, what, ours, "floor.sql", floor, "s", most=bar_at)
