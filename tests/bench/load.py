"""Bar 11: load-notes against psql's \\copy of the same rows."""

import json
import time
from collections.abc import Iterator

from tests.bench.measure import Measurement, alternate
from tests.bench.warehouse import Bench

_DATABASE = "bench_load"
_COLUMNS = (
    "note_id", "country_name", "latitude", "longitude", "opened_at", "closed_at",
    "days_to_resolution", "opened_by_username", "opening_comment", "total_comments",
    "was_reopened", "closed_by_username", "closing_comment",
)  # fmt: skip
_TABLE = f"CREATE UNLOGGED TABLE public.note ({', '.join(f'{name} text' for name in _COLUMNS)})"


def measure(bench: Bench) -> Iterator[Measurement]:
    """Notes a second into a database that is empty each time."""
    server = bench.server
    # What is rejected is written beside the file, so the file lies in a folder of ours.
    source = bench.csv
    if bench.notes is not None:
        source = server.folder / f"load-{bench.notes.name}"
        source.symlink_to(bench.notes)
    counts: set[int] = set()

    def ours() -> float:
        server.database(_DATABASE)
        begun = time.perf_counter()
        report = json.loads(server.etl(_DATABASE, "load-notes", source, "--json"))
        taken_s = time.perf_counter() - begun
        server.drop(_DATABASE)
        counts.add(report["notes"])
        return float(report["notes"]) / taken_s

    def theirs() -> float:
        server.database(_DATABASE)
        server.psql(_DATABASE, "-c", _TABLE)
        begun = time.perf_counter()
        server.psql(_DATABASE, "-c", f"\\copy public.note from '{bench.csv}' (format csv, header)")
        taken_s = time.perf_counter() - begun
        ((notes,),) = bench.rows("SELECT count(*) FROM public.note", _DATABASE)
        server.drop(_DATABASE)
        counts.add(notes)
        return float(notes) / taken_s

    mine, rival = alternate(bench.size.rounds, ours, theirs)
    yield Measurement(
        bar=11,
        what=f"load-notes {bench.notes.name if bench.notes else 'of sample notes'}",
        ours=mine.told("notes/s"),
        rival=f"\\copy of the same as plain CSV {rival.told('notes/s')}",
        figure=mine.median / rival.median,
        unit="x",
        bar_at=0.25,
        is_least=True,
        details=(f"notes loaded: {' and '.join(f'{count:,}' for count in sorted(counts))}",),
    )
