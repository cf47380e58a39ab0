"""How a cycle is told: log lines, JSON lines, or a progress display on a terminal."""

import json
import logging
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from etl.cli.output import say
from etl.job import Job
from etl.model import (
    BacklogCounted,
    CycleFinished,
    CycleRecord,
    CycleRecovered,
    Event,
    ItemAttempted,
    LevelCount,
    Outcome,
    StopRequested,
    WorkerFinished,
)

if TYPE_CHECKING:
    from rich.progress import TaskID

_EVERY = 100
_REFRESH_S = 0.1

Line = tuple[int, str, dict[str, Any]]


class Narrator:
    """Turns what happens in a cycle into lines for people and programs.

    Args:
        unit: What one item is, in the singular.
    """

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._attempts: Counter[int] = Counter()
        self._done: Counter[int] = Counter()

    def lines(self, event: Event) -> Iterator[Line]:
        """The lines for an event: severity, text, and the facts of it."""
        match event:
            case BacklogCounted():
                yield from self._backlog(event)
            case CycleRecovered():
                yield (
                    logging.WARNING,
                    f"cycle {event.cycle_id} before was cut off: {event.claimed:,} "
                    f"{self._unit}s attempted, {event.orphaned:,} of them in hand; its record "
                    "is closed now",
                    asdict(event),
                )
            case ItemAttempted():
                yield from self._attempt(event)
            case WorkerFinished():
                yield self._worker(event)
            case StopRequested():
                name = signal.Signals(event.signal_number).name
                what = "cancelling the" if event.is_cancelling else "finishing the"
                yield logging.WARNING, f"{name}: {what} {self._unit}s in hand", asdict(event)
            case CycleFinished():
                yield self._finished(event.record)

    def _backlog(self, event: BacklogCounted) -> Iterator[Line]:
        record, unit = event.record, self._unit
        levels = ", ".join(f"{x.found:,} {x.name}" for x in record.levels.values() if x.found)
        facts = {"found": record.found, "queued": event.queued, "workers": record.workers}
        if not record.found:
            yield logging.INFO, f"no {unit}s to refresh", facts
            return
        yield logging.INFO, f"found {record.found:,} {unit}s to refresh: {levels}", facts
        if event.queued < record.found:
            why = "catching up, limit" if event.is_catch_up else "limit"
            yield (
                logging.INFO,
                f"{why} {record.max_items:,}: the first {event.queued:,} in order of priority",
                facts,
            )
        s = "" if record.workers == 1 else "s"
        yield logging.INFO, f"using {record.workers} worker{s}", facts

    def _attempt(self, event: ItemAttempted) -> Iterator[Line]:
        worker, result = event.worker, event.result
        self._attempts[worker] += 1
        self._done[worker] += result.outcome is Outcome.DONE
        if result.outcome is not Outcome.DONE:
            key = event.claim.item_key
            code = f" [{result.sqlstate}]" if result.sqlstate else ""
            yield (
                logging.INFO if result.outcome is Outcome.BUSY else logging.ERROR,
                f"worker {worker}: {self._unit} {key} {result.outcome}: {result.message}{code}",
                {
                    "worker": worker,
                    "item_key": key,
                    "outcome": result.outcome,
                    "sqlstate": result.sqlstate,
                    "reason": result.message,
                    "duration_ms": round(result.duration_ms, 3),
                },
            )
        if self._attempts[worker] % _EVERY == 0:
            yield (
                logging.INFO,
                f"worker {worker}: {self._attempts[worker]:,} {self._unit}s "
                f"(now: {self._unit} {event.claim.item_key})",
                {"worker": worker, "attempted": self._attempts[worker]},
            )

    def _worker(self, event: WorkerFinished) -> Line:
        total = f"{self._done[event.worker]:,} {self._unit}s done"
        if event.exit_status == 0:
            return logging.INFO, f"worker {event.worker}: finished, {total}", asdict(event)
        cause = (
            f"died of {signal.Signals(-event.exit_status).name}"
            if event.exit_status < 0
            else f"ended with exit status {event.exit_status}"
        )
        after = ", replaced" if event.replaced else ""
        return logging.ERROR, f"worker {event.worker}: {cause}{after}, {total}", asdict(event)

    def _finished(self, record: CycleRecord) -> Line:
        severity = logging.ERROR if record.failed or record.orphaned else logging.INFO
        return severity, outcome_line(record, self._unit), as_json(record)


def outcome_line(record: CycleRecord, unit: str) -> str:
    """The one line that says how a cycle ended."""
    if record.is_dry_run:
        queued = min(record.found, record.max_items)
        return f"would do {queued:,} of {record.found:,} {unit}s with {record.workers} worker(s)"
    counts = f"{record.done:,} of {record.found:,} {unit}s done"
    for outcome in ("failed", "busy", "orphaned"):
        number = getattr(record, outcome)
        counts += f", {number:,} {outcome}" if number else ""
    rest = f"; {record.remaining:,} remain for the next cycle" if record.remaining else ""
    speed = f" ({record.items_per_s:,.0f}/s)" if record.done else ""
    held = record.held + record.quarantined
    waiting = f"; {held:,} held after failures" if held else ""
    return f"{counts} in {record.duration_s:.1f} s{speed}{rest}{waiting}"


def as_json(record: CycleRecord) -> dict[str, Any]:
    """The object with which a job's --json ends."""
    return {
        "job": record.job,
        "cycle_id": record.cycle_id,
        "found": record.found,
        "claimed": record.claimed,
        "done": record.done,
        "failed": record.failed,
        "busy": record.busy,
        "orphaned": record.orphaned,
        "remaining": record.remaining,
        "held": record.held,
        "quarantined": record.quarantined,
        "workers": record.workers,
        "duration_s": round(record.duration_s, 3),
        "items_per_s": round(record.items_per_s, 1),
        "stop_reason": record.stop_reason,
        "levels": [asdict(level) for level in record.levels.values()],
    }


def summary(record: CycleRecord, title: str, unit: str) -> str:
    """The table and the sentence with which a cycle ends for people."""
    number = f"cycle {record.cycle_id}, " if record.cycle_id else ""
    reason = {"limit": "limit reached"}.get(record.stop_reason or "", record.stop_reason)
    rows = [f"{title}: {number}{reason}, as of {record.as_of}", ""]
    rows.append(f"  {'level':<22}{'found':>10}{'done':>10}{'failed':>10}{'busy':>10}{'left':>10}")
    rows += [_level_row(level) for level in record.levels.values()]
    return "\n".join([*rows, "", outcome_line(record, unit)])


def _level_row(level: LevelCount) -> str:
    failed = level.failed + level.orphaned
    left = level.found - level.done - failed - level.busy
    name = f"{level.level} {level.name}"
    numbers = (level.found, level.done, failed, level.busy, left)
    return f"  {name:<22}" + "".join(f"{number:>10,}" for number in numbers)


def printable(text: str) -> str:
    """A key or a message of the server as one line that controls no terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class LogLines:
    """Writes each line of a narrator on standard error, as text or as JSON.

    Args:
        job: The job, named in each line.
        narrator: Makes the lines.
        is_json: One JSON object a line instead of text.
    """

    def __init__(self, job: Job, narrator: Narrator, *, is_json: bool) -> None:
        self._narrator = narrator
        self._job = job
        self._is_json = is_json

    def __enter__(self) -> "LogLines":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left to do: each line was written at once."""

    def __call__(self, event: Event) -> None:
        """Write the lines of an event."""
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for severity, text, facts in self._narrator.lines(event):
            level = logging.getLevelName(severity)
            if self._is_json:
                head = {"at": at, "severity": level, "job": self._job.name}
                kind = {"event": type(event).__name__, "message": text}
                line = json.dumps({**head, **kind, **facts}, ensure_ascii=False)
            else:
                line = f"{at} {level} {self._job.command}: {printable(text)}"
            say(line)


class Display:
    """A live progress display on a terminal; what went wrong is printed above it.

    Args:
        narrator: Makes the lines.
    """

    def __init__(self, narrator: Narrator) -> None:
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
        self._task: TaskID | None = None
        self._begun = self._drawn = time.monotonic()

    def __enter__(self) -> "Display":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, event: Event) -> None:
        """Draw what an event changes."""
        if isinstance(event, BacklogCounted):
            name = f"{event.record.workers} worker{'' if event.record.workers == 1 else 's'}"
            self._task = self._progress.add_task(name, total=event.queued, rate="")
        for severity, text, _ in self._narrator.lines(event):
            if severity > logging.INFO or isinstance(event, BacklogCounted):
                style = "red" if severity > logging.WARNING else ""
                self._progress.console.print(
                    printable(text), style=style, markup=False, highlight=False, soft_wrap=True
                )
        if isinstance(event, ItemAttempted) and self._task is not None:
            self._progress.advance(self._task)
            now = time.monotonic()
            if now - self._drawn > _REFRESH_S:
                self._drawn = now
                done = self._progress.tasks[0].completed
                self._progress.update(self._task, rate=f"{done / (now - self._begun):,.0f}/s")
                self._progress.refresh()
