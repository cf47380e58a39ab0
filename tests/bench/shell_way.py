"""Bar 3: the usual shell way: a shell queue file under flock and one psql for each user."""

from collections.abc import Iterator
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from tests.bench.drain import everybody
from tests.bench.measure import Measurement, Samples, compared, took_s
from tests.bench.server import run
from tests.bench.warehouse import Bench

_SCRIPT = Path(__file__).with_name("shell_way.sh")
_WORKERS = 2


def measure(bench: Bench) -> Iterator[Measurement]:
    """Some users, spread evenly over all of them, against our drain of all."""
    mine, _ = everybody(bench)
    some = min(bench.size.shell_users, bench.users)
    keys = [1 + place * bench.users // some for place in range(some)]

    def theirs() -> float:
        bench.make_dirty()
        rate = _shell_rate(bench, keys)
        left = "SELECT count(*) FROM dwh.dimension_users WHERE NOT modified"
        ((done,),) = bench.rows(left)
        if done != some:
            raise ValueError(f"the shell way finished {done} of {some} users")
        return rate

    rival = Samples([theirs() for _ in range(bench.size.rounds)])
    what = f"drain of {bench.users:,} users, {_WORKERS} workers"
    yield compared(3, what, mine, f"the shell way, {some} of them:", rival, "/s", least=100)


def _shell_rate(bench: Bench, keys: list[int]) -> float:
    queue = bench.server.folder / "shell_queue"
    queue.write_text("".join(f"{key}\n" for key in keys))
    parts = conninfo_to_dict(bench.server.dsn(bench.database))
    environment = {
        **bench.server.environment(bench.database),
        "PATH": f"{bench.server.program('psql').parent}:/usr/local/bin:/usr/bin:/bin",
        "PGHOST": str(parts["host"]),
        "PGUSER": str(parts["user"]),
        "PGDATABASE": str(parts["dbname"]),
    }
    workers = str(_WORKERS)
    taken_s = took_s(lambda: run([_SCRIPT, queue, workers, bench.as_of], environment))
    return len(keys) / taken_s
