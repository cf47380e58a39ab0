"""A live progress display on a terminal; the lines about a cycle stand above it."""

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from etl.cli.narrator import Narrator
from etl.cli.output import printable
from etl.cli.words import counted
from etl.events import BacklogCounted, Event, ItemAttempted
from etl.model import WEIGHT

if TYPE_CHECKING:
    from rich.progress import TaskID

_REFRESH_S = 0.1


class Display:
    """A live progress display on a terminal; what went wrong is printed above it.

    Args:
        narrator: Makes the lines.
        shows_levels: A bar for each level of the cycle instead of one in all.
    """

    def __init__(self, narrator: Narrator, *, shows_levels: bool = False) -> None:
        from rich.console import Console  # cron needs none of it
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        # No refreshing thread: the supervisor starts processes, and draws when it counts.
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            auto_refresh=False,
            transient=True,
        )
        self._narrator = narrator
        self._shows_levels = shows_levels
        self._bars: dict[int, TaskID] = {}
        self._size: Callable[[str | None], int] = lambda _: 1
        self._begun = self._drawn = time.monotonic()

    def __enter__(self) -> "Display":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, event: Event) -> None:
        """Draw what an event changes."""
        from rich.text import Text

        if isinstance(event, BacklogCounted):
            self._begin(event)
        for severity, text, _ in self._narrator.lines(event):
            if severity > logging.INFO or isinstance(event, BacklogCounted):
                style = "red" if severity > logging.WARNING else ""
                # As rich's own text: its brackets are no markup, and its style is not the bar's.
                self._progress.console.print(Text(printable(text), style), soft_wrap=True)
        if isinstance(event, ItemAttempted) and self._bars:
            claim = event.claim
            self._progress.advance(self._bars[claim.level], self._size(claim.values.get(WEIGHT)))
            now = time.monotonic()
            if now - self._drawn > _REFRESH_S:
                self._drawn = now
                for task in self._progress.tasks:
                    rate = f"{task.completed / (now - self._begun):,.0f}/s"
                    self._progress.update(task.id, rate=rate)
                self._progress.refresh()

    def _begin(self, event: BacklogCounted) -> None:
        record = event.record
        self._size = record.size
        names = {number: record.levels[number].name for number in event.levels}
        if self._shows_levels and names:
            self._bars = {
                number: self._progress.add_task(name, total=event.levels[number], rate="")
                for number, name in names.items()
            }
            return
        name = counted(record.workers, "worker")
        bar = self._progress.add_task(name, total=event.queued, rate="")
        self._bars = dict.fromkeys(names, bar)
