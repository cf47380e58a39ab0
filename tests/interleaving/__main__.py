"""A storm of any size: ``python -m tests.interleaving 100000 [seed]``. Prints what it met."""

import secrets
import sys
import time

from psycopg.conninfo import conninfo_to_dict

from tests.conftest import load_schema
from tests.interleaving.storm import Plan, Storm
from tests.states import own_server


def main() -> int:
    """Run it on a server of its own. Returns 1 where a promise was broken."""
    refreshes = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else secrets.randbelow(10**9)
    with own_server() as server:
        place = conninfo_to_dict(server.target.dsn)
        address = {"port": 5432, **place}
        load_schema(**address)
        begun = time.perf_counter()
        storm = Storm(server.target.dsn, Plan(seed, refreshes))
        report = storm.run()
        storm.close()
    sys.stdout.write(f"seed {seed}, {time.perf_counter() - begun:.0f} s\n{report}\n")
    return int(bool(report.wrong or report.lost or report.overlaps))


if __name__ == "__main__":
    sys.exit(main())
