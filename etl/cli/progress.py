"""How far a cycle of key ranges is, and when it will be through: a line for each tenth."""

import logging
import time
from collections.abc import Iterator
from typing import Any

from etl.cli.words import seconds
from etl.model import CycleRecord


class Progress:
    """Follows one cycle.

    Args:
        record: Its record.
        queued: How many keys it takes.
    """

    def __init__(self, record: CycleRecord, queued: int) -> None:
        self._record = record
        self._queued = queued
        self._begun = time.monotonic()
        self._tenths = 0

    def lines(self, unit: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
        """A line where another tenth is through: severity, text and facts."""
        claimed, queued = self._record.claimed, self._queued
        tenths = claimed * 10 // queued if queued else 10
        if tenths <= self._tenths or tenths >= 10:
            return
        self._tenths = tenths
        left_s = (time.monotonic() - self._begun) * (queued / claimed - 1)
        text = f"{claimed:,} of {queued:,} {unit}s, {tenths}0 %; {seconds(left_s)} left"
        yield logging.INFO, text, {"claimed": claimed, "queued": queued, "left_s": round(left_s, 1)}
