"""The items whose COMMIT may not be on the server's disk yet.

Workers commit asynchronously: a crash of the server undoes the last commits, result and
clearing of the dirty mark together. Whoever has told them as done must take that back.
"""

import time
from array import array
from collections import deque

_BUCKET_S = 0.1


class Unflushed:
    """Those of one session, by position in the queue; 8 bytes each, as they may be many."""

    def __init__(self) -> None:
        self._buckets: deque[tuple[float, array[int]]] = deque()

    def __bool__(self) -> bool:
        """Whether there may be any."""
        return bool(self._buckets)

    def add(self, position: int, flushed_within_s: float) -> None:
        """An item is done; those that are on disk by now are forgotten.

        Args:
            position: Its place in the queue.
            flushed_within_s: A commit is on disk after that many seconds.
        """
        now = time.monotonic()
        if not self._buckets or now - self._buckets[-1][0] > _BUCKET_S:
            self._buckets.append((now, array("q")))
            while self._buckets[0][0] < now - flushed_within_s - _BUCKET_S:
                self._buckets.popleft()
        self._buckets[-1][1].append(position)

    def pop_all(self) -> list[int]:
        """What may have been undone; from now on there is none."""
        positions = [position for _, bucket in self._buckets for position in bucket]
        self._buckets.clear()
        return positions
