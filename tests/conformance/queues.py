"""The queue implementations that the conformance tests run against.

Another one is added by its name here and its way to be opened in ``open_queue``.
"""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from etl.queue import FileQueue, Queue
from tests.conformance.tables import SharedQueue

_OPEN: dict[str, Callable[[str], Queue]] = {
    "file": lambda address: FileQueue(Path(address)),
    "postgres": SharedQueue,
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
        return open_queue(self.implementation, self.address)

    @property
    def frees_what_the_dead_had(self) -> bool:
        """Whether a claim ends with its holder, without anybody's say."""
        return self.implementation == "postgres"

    @property
    def takes_back(self) -> bool:
        """Whether what a crash of the server undid has to be told to it."""
        return self.implementation == "file"

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
