"""A worker process, seen from its supervisor.

It has a process group of its own: a Ctrl-C at the terminal reaches the supervisor alone,
which then tells the workers. Its standard error is a pipe; the end of that pipe is how the
supervisor learns that the process is gone.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Collection
from contextlib import suppress
from typing import IO, cast

from etl.model import Orders, Outcome, Result


class Process:
    """A worker process; it loads its program while it waits for its orders.

    Args:
        inherited: Descriptors that it has too, by the same numbers.
        module: Its program.
        stdout: Where its standard output goes, as for ``subprocess.Popen``.

    Attributes:
        number: Which worker it is; 0 before it has orders.

    Raises:
        OSError: It cannot be started.
    """

    def __init__(
        self,
        inherited: Collection[int] = (),
        *,
        module: str = "etl.worker",
        stdout: int = subprocess.DEVNULL,
    ) -> None:
        self.number = 0
        # It inherits SIGTERM blocked, and lets it through once it can heed it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        try:
            # -P: the current folder is no place to import from; cron may run anywhere.
            popen = subprocess.Popen(
                [sys.executable, "-P", "-m", module],
                stdin=subprocess.PIPE,
                stdout=stdout,
                stderr=subprocess.PIPE,
                process_group=0,
                pass_fds=inherited,
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self.popen = popen
        self.stdin = cast(IO[bytes], popen.stdin)
        self.stderr = cast(IO[bytes], popen.stderr)
        self.said = b""
        self.has_claimed = False

    def begin(self, orders: Orders) -> None:
        """Give it its orders."""
        self.number = orders.number
        self.tell(orders.to_json())

    def tell(self, line: str) -> None:
        """Send a line; it may be too late."""
        with suppress(BrokenPipeError):
            self.stdin.write(f"{line}\n".encode())
            self.stdin.flush()

    def hear(self) -> bool:
        """Read what it says. Returns False when it has ended."""
        chunk = os.read(self.stderr.fileno(), 4096)
        self.said = (self.said + chunk)[-4096:]
        return bool(chunk)

    def reap(self) -> int:
        """The exit status of the ended process; negative: the signal that killed it."""
        status = self.popen.wait()
        self.stderr.close()
        with suppress(BrokenPipeError):
            self.stdin.close()
        return status

    def last_words(self) -> str:
        """The last line that it said, or nothing."""
        said = self.said.decode(errors="replace").strip()
        return said.splitlines()[-1] if said else ""

    def orphaned(self, status: int) -> Result:
        """What an item came to that it had in hand when it ended with this exit status."""
        reason = f"its worker died of signal {-status}" if status < 0 else "its worker died"
        words = self.last_words()
        return Result(Outcome.ORPHANED, message=f"{reason}: {words}" if words else reason)

    def kill(self) -> None:
        """End it, whatever it does."""
        self.popen.kill()
