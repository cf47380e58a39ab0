"""`make check`: no file is longer than 300 lines."""

import subprocess
import sys
from pathlib import Path

LIMIT = 300


def main() -> int:
    """List the files that are too long. Returns 1 if there are any."""
    patterns = ["*.py", "*.sql", "bin/*", "Makefile", ".ci/run"]
    listed = subprocess.run(
        ["git", "ls-files", *patterns], capture_output=True, text=True, check=True
    )
    long = 0
    for name in listed.stdout.split():
        lines = len(Path(name).read_text(encoding="utf-8").splitlines())
        if lines > LIMIT:
            sys.stdout.write(f"{name}: {lines} lines, more than {LIMIT}\n")
            long += 1
    return min(long, 1)


if __name__ == "__main__":
    sys.exit(main())
