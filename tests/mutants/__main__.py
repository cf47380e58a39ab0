"""Breaks the code in one place after the other, and watches a test fail: ``make mutants``.

Each mutation in mutations.toml takes back one thing that a promise rests on. A mutation
that no test notices is told as SURVIVED, and the run ends with 1. The tests run on a copy of
the checkout, so nothing here is changed.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
COPIED = ("etl", "sql", "tests", "bin", "pyproject.toml", "README.md", "docs", "constraints.txt")
FAILED = 1
"""Exit status of pytest when tests fail; every other one is a broken run, not a noticed fault."""


@dataclass(frozen=True)
class Mutation:
    """One thing taken back.

    Attributes:
        name: What it is, in a few words.
        promise: The number of the promise that it breaks.
        file: Where, from the top of the checkout.
        old: The text there; it must stand there once.
        new: What takes its place.
        tests: Arguments of pytest: the tests that should notice.
    """

    name: str
    promise: int
    file: str
    old: str
    new: str
    tests: list[str]


def mutations() -> list[Mutation]:
    """All of them; tests/unit/test_mutations.py sees to it that each finds its place."""
    text = (Path(__file__).parent / "mutations.toml").read_text(encoding="utf-8")
    return [Mutation(**table) for table in tomllib.loads(text)["mutation"]]


def main() -> None:
    """Run them all, or those whose names hold one of the words on the command line."""
    words = sys.argv[1:]
    chosen = [m for m in mutations() if not words or any(word in m.name for word in words)]
    survived = [mutation.name for mutation in chosen if not is_noticed(mutation)]
    tell(f"{len(chosen) - len(survived)} of {len(chosen)} mutations noticed")
    sys.exit(bool(survived))


def is_noticed(mutation: Mutation) -> bool:
    """Whether a test fails of it."""
    with tempfile.TemporaryDirectory(prefix="etl-mutant-") as folder:
        # Servers of the tests run as another user, who must be able to read the copy.
        copy = Path(folder)
        copy.chmod(0o755)
        for name in COPIED:
            place = REPOSITORY / name
            if place.is_dir():
                shutil.copytree(place, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(place, copy / name)
        path = copy / mutation.file
        text = path.read_text(encoding="utf-8").replace(mutation.old, mutation.new)
        path.write_text(text, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *mutation.tests],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": folder},
            capture_output=True,
            text=True,
            check=False,
        )
    failed = next((x for x in done.stdout.splitlines() if x.startswith(("FAILED", "ERROR"))), "")
    verdict = {0: "SURVIVED", FAILED: "noticed "}.get(done.returncode, "BROKEN RUN")
    tell(f"{verdict}  promise {mutation.promise}: {mutation.name}")
    tell(f"          {failed.partition(' - ')[0] or done.stdout[-500:]}")
    return done.returncode == FAILED


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
