"""`make bench`: every bar of speed, as a figure against a named rival in the same run.

python -m tests.bench [BAR…] [--rounds N] [--users N] [--smoke] [--json]

Nothing is asserted: a bar that is missed is a line that says so. The exit status is 1 only
where something could not be measured.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import psycopg

from etl.errors import EtlError
from tests.bench import (
    caches,
    counters,
    drain,
    floor,
    invoices,
    load,
    makespan,
    memory,
    nights,
    prioritization,
    queue,
    shared_queue,
    shell_way,
    start,
    stream,
)
from tests.bench.measure import Measurement, as_json, table
from tests.bench.server import CommandError, Server
from tests.bench.size import SMOKE, Size
from tests.bench.warehouse import Bench, find_notes

BARS: dict[int, Callable[[Bench], Iterator[Measurement]]] = {
    1: drain.users,
    2: drain.nothing,
    3: shell_way.measure,
    4: floor.drain,
    5: prioritization.growth,
    6: prioritization.duration,
    7: queue.measure,
    8: makespan.measure,
    9: memory.measure,
    10: start.measure,
    11: load.measure,
    12: floor.verify,
    13: nights.measure,
    14: counters.measure,
    15: invoices.measure,
    16: caches.speed_up,
    17: caches.nothing_changed,
    18: caches.reading,
    19: shared_queue.users,
    20: shared_queue.claims,
    21: stream.throughput,
    22: stream.memory,
    23: stream.latency,
}


def main() -> int:
    """Measure what the arguments say. Returns the exit status."""
    given = _arguments()
    size = SMOKE if given.smoke else Size()
    size = replace(size, users=given.users or size.users, rounds=given.rounds or size.rounds)
    notes = None if given.smoke or given.users else find_notes()
    found: list[Measurement] = []
    failed: list[int] = []
    with Server() as server:
        bench = Bench(server, size, notes)
        _tell(f"{server.said()}; {size.rounds} round(s)")
        if given.smoke:
            _tell("smoke run: everything is tiny, the figures mean nothing")
        for bar in given.bars or BARS:
            begun = time.monotonic()
            try:
                for measurement in BARS[bar](bench):
                    found.append(measurement)
                    _tell(measurement.line())
            except (CommandError, EtlError, OSError, ValueError, psycopg.Error) as error:
                failed.append(bar)
                _tell(f"bar {bar}: could not be measured: {error}")
            _tell(f"    ({time.monotonic() - begun:.0f} s)")
    _tell(f"\n{table(found)}")
    if given.json:
        sys.stdout.write(f"{as_json(found)}\n")
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("bars", nargs="*", type=_bar, metavar="BAR", help="which; else all")
    parser.add_argument("--rounds", type=int, help="how often each side is measured")
    parser.add_argument("--users", type=int, help="sample users, instead of published notes")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, one round")
    parser.add_argument("--json", action="store_true", help="one array on standard output")
    return parser.parse_args()


def _bar(text: str) -> int:
    number = int(text)
    if number not in BARS:
        raise ValueError(f"there is no bar {number}")
    return number


def _tell(line: str) -> None:
    """Print at once; with --json, standard output is for the array alone."""
    stream = sys.stderr if "--json" in sys.argv else sys.stdout
    stream.write(f"{line}\n")
    stream.flush()


if __name__ == "__main__":
    sys.exit(main())
