"""Whether a worker may claim: what its supervisor says, and the time limit."""

import threading
import time
from collections.abc import Callable


class Gate:
    """Open until somebody says stop, or the time is over; closed for a while when paused.

    The worker's main thread asks, the one that listens to the supervisor says.

    Args:
        deadline: Of ``time.monotonic()``; None: no time limit.
    """

    def __init__(self, deadline: float | None) -> None:
        self._deadline = deadline
        self._changed = threading.Condition()
        self._is_stopped = False
        self._is_paused = False
        self._wake: Callable[[], None] | None = None

    def when_stopped(self, wake: Callable[[], None]) -> None:
        """Call this when it is closed for good, so that nobody waits behind it for ever."""
        self._wake = wake

    @property
    def is_over(self) -> bool:
        """Whether nothing may be claimed any more."""
        return self._is_stopped or (
            self._deadline is not None and time.monotonic() >= self._deadline
        )

    @property
    def is_open(self) -> bool:
        """Whether an item may be claimed now."""
        return not self._is_paused and not self.is_over

    def stop(self) -> None:
        """Close it for good."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()
        if self._wake is not None:
            self._wake()

    def pause(self, *, is_paused: bool) -> None:
        """Close it for now, or open it again."""
        with self._changed:
            self._is_paused = is_paused
            self._changed.notify_all()

    def pass_through(self) -> bool:
        """Wait while it is closed for now. Returns whether it is open."""
        with self._changed:
            while self._is_paused and not self.is_over:
                left = None if self._deadline is None else self._deadline - time.monotonic()
                self._changed.wait(left)
        return not self.is_over

    def wait(self, seconds: float) -> None:
        """Wait, but no longer than until it is closed for good."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_stopped, seconds)
