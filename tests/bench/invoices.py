"""Bar 15: repair of invoices, against the best loop that was written for it by hand."""

from collections.abc import Iterator
from datetime import UTC, datetime

from etl import db, folders, job
from etl.job.shape import FIRST, LAST
from etl.sqlfile import statements
from tests.bench.measure import Measurement, Samples, alternate, compared, took_s
from tests.bench.memory import Peaks, watch
from tests.bench.server import etl_command
from tests.bench.warehouse import SQL, Bench

_JOB = job.load(folders.sql_folder() / "jobs" / "fix_invoices")
_CYCLE = ("fix-invoices", "--workers=1")
_BACKENDS = (
    "SELECT pid FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name LIKE 'etl:%'"
)
_FLAT = 1.1


def measure(bench: Bench) -> Iterator[Measurement]:
    """A cycle over all invoices, a third of them wrong, from shell to shell; and its memory."""
    size = bench.size
    many, few = (_Invoices(bench, scale) for scale in (size.many_invoices, size.few_invoices))
    ours, by_hand = alternate(size.rounds, many.cycle_s, many.by_hand_s)
    what, rival = f"repair of {many.told}", "a loop by hand, 50,000 a batch"
    listing = f"prioritize.sql {many.listing_s().told('s')}"
    detail = f"{listing}; longest batch {many.longest_ms:,.0f} ms"
    yield compared(15, what, ours, rival, by_hand, "s", detail, most=1.3)
    small, large = few.peaks(), many.peaks()
    for role, peaks in large.items():
        yield Measurement(
            bar=15,
            what=f"peak memory of {role}, without files and shared",
            ours=f"{peaks['RssAnon']:.1f} MB",
            rival=f"with {size.few_invoices:,} invoices {small[role]['RssAnon']:.1f} MB",
            figure=peaks["RssAnon"] / small[role]["RssAnon"],
            unit="x",
            bar_at=_FLAT,
            is_least=False,
        )


class _Invoices:
    """Databases with the same wrong invoices, one for each measurement."""

    def __init__(self, bench: Bench, scale: int) -> None:
        self._bench, self._server, self._scale = bench, bench.server, scale
        self._name = self._server.database(f"bench_invoices_{scale}", self._fill)
        ((rows, lowest, highest),) = bench.rows(
            "SELECT count(*), min(invoice_id), max(invoice_id) FROM billing.invoices", self._name
        )
        self.told = f"{rows:,} invoices, keys from {lowest:,} to {highest:,}"
        self.longest_ms = 0.0

    def _fill(self, name: str) -> None:
        with self._server.connect(name) as connection:
            for statement in statements(_JOB.folder / "sample.sql"):
                db.run(connection, statement, scale=self._scale)
            # The loop by hand ends at the first invoice that nobody can repair.
            connection.execute("UPDATE billing.invoices SET rate = 0.19 WHERE rate IS NULL")
            connection.execute("VACUUM ANALYZE billing.invoices")

    def _close(self, name: str) -> None:
        """See that all is right, and drop the copy."""
        ((left,),) = self._bench.rows("SELECT count(*) FROM billing.wrong_invoices", name)
        if left:
            raise ValueError(f"{left} invoices are wrong")
        self._server.drop(name)

    def cycle_s(self) -> float:
        name = self._server.copy(self._name)
        taken = took_s(lambda: self._server.cycle(name, *_CYCLE))
        ((longest,),) = self._bench.rows("SELECT max(duration_ms) FROM etl.attempt", name)
        self.longest_ms = max(self.longest_ms, float(longest))
        self._close(name)
        return taken

    def by_hand_s(self) -> float:
        name = self._server.copy(self._name)
        taken = took_s(lambda: self._server.psql(name, "-f", SQL / "invoices_loop.sql"))
        self._close(name)
        return taken

    def listing_s(self) -> Samples:
        values = {"round": 0, "from_key": FIRST, "to_key": LAST, "most": 50_000}
        with self._server.connect(self._name) as connection:

            def listed() -> object:
                now = datetime.now(UTC)
                return db.run(connection, _JOB.prioritize, **values, now=now).fetchall()

            return Samples([took_s(listed) for _ in range(self._bench.size.rounds)])

    def peaks(self) -> dict[str, Peaks]:
        """The peaks of the processes of a cycle, once: they hardly vary."""
        name = self._server.copy(self._name)
        with self._server.connect(name) as connection:

            def backends() -> list[int]:
                return [int(pid) for (pid,) in connection.execute(_BACKENDS).fetchall()]

            found = watch([*etl_command(), *_CYCLE], self._server.environment(name), backends)
        self._close(name)
        return found
