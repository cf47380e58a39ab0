"""The benchmark runs: every bar at a tiny size, with a figure whose value means nothing."""

import json
import math
import subprocess
import sys

from tests.bench.__main__ import BARS
from tests.conftest import REPOSITORY


def test_every_bar_is_measured_and_told() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--smoke", "--json"],
        capture_output=True, text=True, check=False, cwd=REPOSITORY,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {one["bar"] for one in found} == set(BARS) == {*range(1, 24)}
    assert all(math.isfinite(one["figure"]) and one["figure"] > 0 for one in found)
    for one in found:
        told = [
            line
            for line in done.stderr.splitlines()
            if f"bar {one['bar']}: {one['what']}: " in line
        ]
        assert len(told) == 1
        assert told[0].endswith(": ok" if one["is_met"] else ": missed")
