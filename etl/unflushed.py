"""The items whose COMMIT may not be on the server's disk yet.

Workers commit asynchronously: a crash of the server undoes the last commits, result and
clearing of the dirty mark together. Whoever has told them as done must take that back.
"""

import time
from collections import deque

from etl.model import Claim


class Unflushed:
    """Those of one session."""

    def __init__(self) -> None:
        self._done: deque[tuple[float, Claim]] = deque()

    def add(self, claim: Claim, flushed_within_s: float) -> None:
        """An item is done; those that are on disk by now are forgotten.

        Args:
            claim: The item.
            flushed_within_s: A commit is on disk after that many seconds.
        """
        now = time.monotonic()
        self._done.append((now, claim))
        while self._done[0][0] < now - flushed_within_s:
            self._done.popleft()

    def pop_all(self) -> list[Claim]:
        """What may have been undone; from now on there is none."""
        claims = [claim for _, claim in self._done]
        self._done.clear()
        return claims
