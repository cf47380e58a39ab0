"""`make chaos`: so many faults of random kinds, then the invariants.

python -m tests.chaos --kills 25 --seed 1 [--workers 2] [--users 2000] [--queue postgres]
"""

import argparse
import random
import sys

from tests.chaos.plan import Kind
from tests.chaos.run import Report, run


def main() -> None:
    """Run it as the arguments say, and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=25, help="how many faults")
    parser.add_argument("--seed", default="random", help="a number, or random")
    parser.add_argument("--workers", type=int, default=2, help="of each cycle")
    parser.add_argument("--users", type=int, help="sample users, instead of the real notes")
    parser.add_argument("--queue", choices=["file", "postgres"], default="file", help="its kind")
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if given.seed == "random" else int(given.seed)
    tell(f"chaos: seed {seed}, {given.kills} faults, {given.workers} workers, {given.queue}")
    report = run(seed, given.kills, given.workers, given.users, tell, queue=given.queue)
    tell(table(report))
    if report.broken:
        tell("\n".join([f"BROKEN, seed {seed}:", *report.broken]))
        sys.exit(1)
    tell("all invariants hold")


def table(report: Report) -> str:
    """What happened, line by line."""
    found = report.reckoning
    exits = ", ".join(f"{number} x {status}" for status, number in sorted(report.exits.items()))
    rows = [f"{'fault':<42}{'hit':>6}{'missed':>8}"]
    rows += [f"{kind:<42}{report.hit[kind]:>6}{report.missed[kind]:>8}" for kind in Kind]
    rows += [
        f"{'in all':<42}{report.hit.total():>6}{report.missed.total():>8}",
        "",
        f"cycles by exit status: {exits}",
        f"rounds of everybody: {report.rounds}",
        f"refreshes committed: {found.commits:,} in {report.duration_s:.0f} s,"
        f" {found.commits / max(report.duration_s, 0.1):,.0f} users/s",
        f"committed, and killed before it was acknowledged: {found.unacknowledged}",
        f"told as done for good, and undone by a crash at the same time: {found.taken_back}",
    ]
    return "\n".join(rows)


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
