"""`make bench`: ratios against named rivals, all measured in one run.

Sample data on a server of its own. The rival of a drain is pgbench running the same CALL
over the same users, on as many connections and with the same durability.
"""

import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from etl.embedded import EmbeddedServer
from tests.conftest import runner

USERS = int(os.environ.get("BENCH_USERS", "20000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))


def main() -> None:
    """Measure and print."""
    state = Path(tempfile.mkdtemp(prefix="etl-bench-"))
    server = EmbeddedServer.of(state, os.environ)
    try:
        server.start()
        etl = runner({**os.environ, "ETL_STATE_DIR": str(state)})
        etl("demo", f"--scale={USERS}", "--max-users=1")
        with psycopg.connect(server.target.dsn, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
            for workers in (1, 2):
                measure(server, connection, workers, state)
    finally:
        server.stop()
        shutil.rmtree(server.home, ignore_errors=True)
        shutil.rmtree(state, ignore_errors=True)


def measure(
    server: EmbeddedServer, connection: "psycopg.Connection[tuple[object, ...]]", workers: int,
    state: Path,
) -> None:  # fmt: skip
    """Drain everybody by etl and by pgbench, in turn."""
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(ROUNDS):
        make_dirty(connection)
        ours.append(drain(state, workers))
        make_dirty(connection)
        theirs.append(pgbench(server, workers))
    a, b = statistics.median(ours), statistics.median(theirs)
    tell(f"drain of {USERS:,} users, {workers} worker(s), median of {ROUNDS}:")
    tell(f"  etl {a:,.0f}/s   pgbench {b:,.0f}/s   ratio {a / b:.2f}")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    tell(f"  peak resident memory of the largest process started so far: {peak:.0f} MB")


def make_dirty(connection: "psycopg.Connection[tuple[object, ...]]") -> None:
    """Everybody is dirty, and the tables as they were before."""
    connection.execute("UPDATE dwh.dimension_users SET modified = TRUE")
    connection.execute("VACUUM dwh.dimension_users, dwh.datamart_users")
    connection.execute("CHECKPOINT")


def drain(state: Path, workers: int) -> float:
    """Users a second, from shell to shell."""
    etl = runner({**os.environ, "ETL_STATE_DIR": str(state)})
    begun = time.perf_counter()
    ran = etl("datamart-users", f"--max-users={USERS}", f"--workers={workers}")
    if ran.status:
        raise SystemExit(ran.err)
    return USERS / (time.perf_counter() - begun)


def pgbench(server: EmbeddedServer, workers: int) -> float:
    """Users a second of the same CALL over the same keys."""
    today = datetime.now(UTC).date()
    script = Path(tempfile.mkdtemp()) / "call.sql"
    lines = [
        r"\set n :n + 1",
        rf"\set id 1 + (:n * {workers} + :client_id) % {USERS}",
        f"CALL dwh.update_datamart_user(:id, '{today}');",
    ]
    script.write_text("\n".join(lines) + "\n")
    arguments = ["-n", "-M", "prepared", "-D", "n=-1", "-c", str(workers), "-j", str(workers)]
    done = subprocess.run(
        [server.binary("pgbench"), *arguments, "-t", str(USERS // workers), "-f", script,
         server.target.dsn],
        capture_output=True, text=True, check=True,
        env={**os.environ, "PGOPTIONS": "-c synchronous_commit=off -c jit=off"},
    )  # fmt: skip
    shutil.rmtree(script.parent)
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    if found is None:
        raise SystemExit(done.stdout + done.stderr)
    return float(found[1])


def tell(line: str) -> None:
    """Print at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
