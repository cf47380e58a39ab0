"""A storm of any size: ``python -m tests.interleaving 100000 [seed]``. Prints what it met."""

import os
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from etl.embedded import EmbeddedServer
from tests.conftest import load_schema
from tests.interleaving.storm import Plan, Storm


def main() -> int:
    """Run it on a server of its own. Returns 1 where a promise was broken."""
    refreshes = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else secrets.randbelow(10**9)
    state = Path(tempfile.mkdtemp(prefix="etl-storm-"))
    server = EmbeddedServer.of(state, os.environ)
    try:
        server.start()
        place = conninfo_to_dict(server.target.dsn)
        address = {"port": 5432, **place}
        load_schema(**address)
        begun = time.perf_counter()
        storm = Storm(server.target.dsn, Plan(seed, refreshes))
        report = storm.run()
        storm.close()
    finally:
        server.stop()
        shutil.rmtree(server.home, ignore_errors=True)
        shutil.rmtree(state, ignore_errors=True)
    sys.stdout.write(f"seed {seed}, {time.perf_counter() - begun:.0f} s\n{report}\n")
    return int(bool(report.wrong or report.lost or report.overlaps))


if __name__ == "__main__":
    sys.exit(main())
