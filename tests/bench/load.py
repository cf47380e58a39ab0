"""Bar 11: load-notes against psql's \\copy of the same rows."""

import json
import time
from collections.abc import Iterator

from tests.bench.measure import Measurement, alternate, compared, took_s
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
        copy = f"\\copy public.note from '{bench.csv}' (format csv, header)"
        taken_s = took_s(lambda: server.psql(_DATABASE, "-c", copy))
        ((notes,),) = bench.rows("SELECT count(*) FROM public.note", _DATABASE)
        server.drop(_DATABASE)
        counts.add(notes)
        return float(notes) / taken_s

    mine, rival = alternate(bench.size.rounds, ours, theirs)
    what = f"load-notes {bench.notes.name if bench.notes else 'of sample notes'}"
    loaded = f"notes loaded: {' and '.join(f'{count:,}' for count in sorted(counts))}"
    copied = "\\copy of the same as plain CSV"
    yield compared(11, what, mine, copied, rival, "notes/s", loaded, least=0.25)
