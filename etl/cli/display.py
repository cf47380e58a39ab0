"""A live progress display on a terminal; the lines about a cycle stand above it."""

import logging
import time
from typing import TYPE_CHECKING

from etl.cli.narrator import Narrator
from etl.cli.output import printable
from etl.cli.words import counted
from etl.events import BacklogCounted, Event, ItemAttempted
from etl.model import CycleRecord, LevelCount

if TYPE_CHECKING:
    from rich.progress import TaskID

_REFRESH_S = 0.1


class Display:
    """A live progress display on a terminal; what went wrong is printed above it, and it stays.

    Args:
        narrator: Makes the lines.
        shows_levels: A bar for each level of the cycle instead of one in all.
    """

    def __init__(self, narrator: Narrator, *, shows_levels: bool = False) -> None:
        from rich import progress  # cron needs none of it
        from rich.console import Console

        # No refreshing thread: the supervisor starts processes, and draws when it counts.
        self._progress = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TextColumn("{task.fields[rate]}"),
            progress.TimeElapsedColumn(),
            progress.TimeRemainingColumn(),
            console=Console(stderr=True),
            auto_refresh=False,
        )
        self._narrator = narrator
        self._shows_levels = shows_levels
        self._bars: dict[TaskID, LevelCount | CycleRecord] = {}
        self._begun = self._drawn = time.monotonic()

    def __enter__(self) -> "Display":
        return self

    def __exit__(self, *_: object) -> None:
        self._draw()
        self._progress.stop()

    def __call__(self, event: Event) -> None:
        """Draw what an event changes."""
        from rich.text import Text

        for severity, text, _ in self._narrator.lines(event):
            if severity > logging.INFO or isinstance(event, BacklogCounted):
                style = "red" if severity > logging.WARNING else ""
                # As rich's own text: its brackets are no markup, and its style is not the bar's.
                self._progress.console.print(Text(printable(text), style), soft_wrap=True)
        if isinstance(event, BacklogCounted) and event.levels:
            self._begin(event)
        elif isinstance(event, ItemAttempted) and time.monotonic() - self._drawn > _REFRESH_S:
            self._draw()

    def _begin(self, event: BacklogCounted) -> None:
        record = event.record
        self._begun = time.monotonic()
        if self._shows_levels:
            for number, queued in event.levels.items():
                level = record.levels[number]
                self._bars[self._progress.add_task(level.name, total=queued, rate="")] = level
        else:
            name = counted(record.workers, "worker")
            self._bars[self._progress.add_task(name, total=event.queued, rate="")] = record
        self._progress.start()

    def _draw(self) -> None:
        """Bring the bars up to date."""
        self._drawn = time.monotonic()
        for bar, counts in self._bars.items():
            rate = f"{counts.claimed / (self._drawn - self._begun):,.0f}/s"
            self._progress.update(bar, completed=counts.claimed, rate=rate)
        self._progress.refresh()
