"""Bar 10: what it takes from shell to shell to do nothing."""

import sys
from collections.abc import Iterator
from functools import partial

from tests.bench.measure import Measurement, Samples, took_s
from tests.bench.server import etl_command, run
from tests.bench.warehouse import Bench

_TIMES = 3


def measure(bench: Bench) -> Iterator[Measurement]:
    """The help, and a cycle that finds nothing dirty in the warehouse with all users."""
    bench.refresh()
    server = bench.server
    environment = server.environment(bench.database)
    cycle = [*etl_command(), "datamart-users", *bench.arguments]
    commands: dict[str, list[object]] = {
        "etl --help": [*etl_command(), "--help"],
        "empty cycle": [*cycle, "--dsn", server.dsn(bench.database)],
        "python -c pass": [sys.executable, "-c", "pass"],
        "psql -c 'select 1'": [
            server.program("psql"), "-qAtX", "-d", server.dsn(bench.database), "-c", "select 1"
        ],
    }  # fmt: skip
    taken: dict[str, list[float]] = {what: [] for what in commands}
    for _ in range(_TIMES * bench.size.rounds):
        for what, command in commands.items():
            words = [str(word) for word in command]
            taken[what].append(1000 * took_s(partial(run, words, environment)))
    told = {what: Samples(values).told("ms") for what, values in taken.items()}
    rivals = (("etl --help", "python -c pass", 200), ("empty cycle", "psql -c 'select 1'", 500))
    for what, rival, bar_at in rivals:
        median = Samples(taken[what]).median
        yield Measurement(
            10, what, told[what], f"{rival} {told[rival]}", median, "ms", bar_at, False
        )
