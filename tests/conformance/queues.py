"""The queue implementations that the conformance tests run against.

Another one is added by its name here and its way to be opened in ``open_queue``.
"""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from etl.queue import FileQueue, Queue

_OPEN: dict[str, Callable[[str], Queue]] = {
    "file": lambda address: FileQueue(Path(address)),
}
IMPLEMENTATIONS = tuple(_OPEN)


def open_queue(implementation: str, address: str) -> Queue:
    """The queue at an address; as often as wanted and from any process."""
    return _OPEN[implementation](address)


@dataclass(frozen=True)
class MakeQueue:
    """Opens one queue again and again: each call is one more user of it."""

    implementation: str
    address: str

    def __call__(self) -> Queue:
        """Open it in this process."""
        return open_queue(self.implementation, self.address)

    def in_process(self, worker: int) -> subprocess.Popen[str]:
        """Open it in a process of its own; see claims.py."""
        arguments = [self.implementation, self.address, str(worker)]
        return subprocess.Popen(
            [sys.executable, "-m", "tests.conformance.claims", *arguments],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
