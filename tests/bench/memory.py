"""Bar 9: memory of the supervisor and of each worker, while a short and a long cycle run."""

import re
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests.bench.drain import fill_nothing
from tests.bench.measure import Measurement
from tests.bench.server import CommandError, etl_command
from tests.bench.warehouse import Bench

_WORKERS = 2
_LOOK_S = 0.1
_KILOBYTES = re.compile(r"^(VmHWM|RssAnon|Pss):\s+(\d+) kB", re.MULTILINE)
_FLAT = 1.1

Peaks = dict[str, float]
"""Most that was seen of each figure, MB."""


def measure(bench: Bench) -> Iterator[Measurement]:
    """Peak resident memory, once: it hardly varies."""
    size = bench.size
    few = _peaks(bench, size.few_items)
    many = _peaks(bench, size.many_items)
    for role, peaks in many.items():
        before = few[role]
        seen = ", ".join(
            f"{name} {before[key]:.1f} and {peaks[key]:.1f} MB"
            for key, name in (("RssAnon", "without files and shared"), ("Pss", "shared by parts"))
        )
        yield Measurement(
            bar=9,
            what=f"peak RSS of {role}, {size.many_items:,} items",
            ours=f"{peaks['VmHWM']:.1f} MB",
            rival=f"with {size.few_items:,} items {before['VmHWM']:.1f} MB",
            figure=peaks["VmHWM"],
            unit="MB",
            bar_at=60,
            is_least=False,
            details=(seen,),
        )
    growth = max(peaks["VmHWM"] / few[role]["VmHWM"] for role, peaks in many.items())
    what = "the same, growth from few items to many"
    yield Measurement(9, what, f"{growth:.3f} x", "", growth, "x", _FLAT, is_least=False)


def _peaks(bench: Bench, items: int) -> dict[str, Peaks]:
    """The peaks of the supervisor, and of the largest worker, in a cycle of so many items."""
    database = fill_nothing(bench, items)
    command = [*etl_command(), "nothing", f"--max-items={items}", f"--workers={_WORKERS}"]
    return watch(command, bench.server.environment(database))


def watch(
    command: Sequence[str | Path],
    environment: Mapping[str, str],
    backends: Callable[[], Iterable[int]] = tuple,
) -> dict[str, Peaks]:
    """Run a cycle. Returns the peaks of the supervisor, and of the largest worker and backend.

    Args:
        command: The cycle.
        environment: Of it.
        backends: The server processes to look at, by process id; none unless it says some.

    Raises:
        CommandError: The cycle has failed.
    """
    found: dict[str, Peaks] = {"the supervisor": defaultdict(float), "a worker": defaultdict(float)}
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=environment,
    ) as process:  # fmt: skip
        while not _has_ended(process):
            look(process, found["the supervisor"], found["a worker"])
            for backend in backends():
                _look(backend, found.setdefault("a server process", defaultdict(float)))
    if process.returncode != 0:
        raise CommandError(f"the cycle exits with {process.returncode}")
    return found


def _has_ended(process: "subprocess.Popen[bytes]") -> bool:
    with suppress(subprocess.TimeoutExpired):
        process.wait(_LOOK_S)
    return process.returncode is not None


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children")
        return [int(child) for child in children.read_text().split()]
    return []


def look(process: "subprocess.Popen[bytes]", parent: Peaks, worker: Peaks) -> None:
    """Note what a process has now, and the largest of its workers."""
    _look(process.pid, parent)
    for child in _children(process.pid):
        _look(child, worker)


def _look(pid: int, peaks: Peaks) -> None:
    """Note what a process has now; it may have ended, or be about to begin."""
    for name in ("status", "smaps_rollup"):
        with suppress(OSError):
            text = Path(f"/proc/{pid}/{name}").read_text()
            for key, kilobytes in _KILOBYTES.findall(text):
                peaks[key] = max(peaks[key], int(kilobytes) / 1024)
