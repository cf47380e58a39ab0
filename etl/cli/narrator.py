"""What is said about a cycle while it runs: a line for people, and its facts for programs."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict

from etl.cli.log import Line, stop_line, worker_line
from etl.cli.progress import Progress
from etl.cli.render import as_object, outcome_line, prediction_line
from etl.cli.words import counted, seconds
from etl.events import (
    BacklogCounted,
    CancelRequested,
    ClaimingPaused,
    ClaimingResumed,
    CommitsLost,
    ConnectionFound,
    ConnectionLost,
    CycleAwaited,
    CycleFinished,
    CycleJoined,
    CycleRecovered,
    Event,
    ItemAttempted,
    ItemDeferred,
    StopRequested,
    WorkerFinished,
    WorkersChosen,
)
from etl.model import WEIGHT, CycleRecord, Outcome

_EVERY = 100


class Narrator:
    """Turns what happens in a cycle into lines for people and programs.

    Args:
        unit: What one item is, in the singular.
    """

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._attempts: Counter[int] = Counter()
        self._done: Counter[int] = Counter()
        self._size: Callable[[str | None], int] = lambda _: 1
        self._progress: Progress | None = None

    def lines(self, event: Event) -> Iterator[Line]:
        """The lines for an event: severity, text, and the facts of it."""
        match event:
            case BacklogCounted():
                yield from self._backlog(event)
            case ItemAttempted():
                yield from self._attempt(event)
            case WorkerFinished():
                did = f", {counted(self._done[event.worker], self._unit)} done"
                yield worker_line(event, did)
            case WorkersChosen():
                yield self._chosen(event)
            case CycleFinished():
                yield self._finished(event.record)
            case CycleAwaited() | CycleJoined():
                yield self._of_another(event)
            case ClaimingPaused() | ClaimingResumed() | CancelRequested() | StopRequested():
                yield self._control(event)
            case _:
                yield self._warning(event)

    def _warning(
        self,
        event: CycleRecovered | ItemDeferred | CommitsLost | ConnectionLost | ConnectionFound,
    ) -> Line:
        facts = asdict(event)
        match event:
            case CycleRecovered():
                attempted = counted(event.claimed, self._unit)
                text = (
                    f"cycle {event.cycle_id} before was cut off: {attempted} "
                    f"attempted, {event.orphaned:,} of them in hand; its record is closed now"
                )
            case ItemDeferred():
                key, result = event.claim.item_key, event.result
                facts = {"worker": event.worker, "item_key": key, "sqlstate": result.sqlstate}
                text = (
                    f"worker {event.worker}: {self._unit} {key} comes again at the end of the "
                    f"cycle: {result.message} [{result.sqlstate}]"
                )
            case CommitsLost():
                text = (
                    "the server has crashed; what it has lost is done again: "
                    f"{counted(event.items, self._unit)}"
                )
            case ConnectionLost():
                text = f"lost the database: {event.reason}; the workers go on as far as they can"
            case ConnectionFound():
                text = "found the database again"
        return logging.WARNING, text, facts

    def _control(
        self, event: ClaimingPaused | ClaimingResumed | CancelRequested | StopRequested
    ) -> Line:
        match event:
            case StopRequested() | CancelRequested():
                return stop_line(event, self._unit)
            case ClaimingPaused():
                text = f"claiming nothing for now: {event.reason}"
            case ClaimingResumed():
                text = f"claiming again, after {seconds(event.waited_s)}"
        return logging.WARNING, text, asdict(event)

    def _of_another(self, event: CycleAwaited | CycleJoined) -> Line:
        match event:
            case CycleAwaited():
                text = "waiting for a cycle with --queue postgres"
            case CycleJoined():
                # Its workers may have the numbers of those in the cycle before.
                self._attempts.clear()
                self._done.clear()
                workers = counted(event.workers, "worker")
                text = f"taking part in cycle {event.cycle_id} with {workers}"
        return logging.INFO, text, asdict(event)

    def _backlog(self, event: BacklogCounted) -> Iterator[Line]:
        record, unit = event.record, self._unit
        self._size = record.size
        if record.counts_keys:
            self._progress = Progress(record, event.queued)
        levels = ", ".join(f"{x.found:,} {x.name}" for x in record.levels.values() if x.found)
        facts = {"found": record.found, "queued": event.queued, "workers": record.workers}
        if not record.found:
            yield logging.INFO, f"no {unit}s to refresh", facts
            return
        yield logging.INFO, f"found {counted(record.found, unit)} to refresh: {levels}", facts
        if event.queued < record.found:
            yield logging.INFO, f"{self._limit(event)} in order of priority", facts
        if record.predicted is not None:
            told = {"mean_s": record.predicted.mean_s, "p95_s": record.predicted.p95_s}
            yield logging.INFO, f"predicted: {prediction_line(record.predicted)}", told
        yield logging.INFO, f"using {counted(record.workers, 'worker')}", facts

    @staticmethod
    def _limit(event: BacklogCounted) -> str:
        record = event.record
        if event.is_cut_by_time and record.time_limit_s is not None:
            limit = seconds(record.time_limit_s)
            return f"time limit {limit}: the first {event.queued:,}, which should be done by then,"
        why = "catching up, limit" if event.is_catch_up else "limit"
        return f"{why} {record.max_items:,}: the first {event.queued:,}"

    def _attempt(self, event: ItemAttempted) -> Iterator[Line]:
        worker, result = event.worker, event.result
        size = self._size(event.claim.values.get(WEIGHT))
        self._attempts[worker] += size
        self._done[worker] += size * (result.outcome is Outcome.DONE)
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
        if self._progress is not None:
            yield from self._progress.lines(self._unit)
        elif self._attempts[worker] % _EVERY == 0:
            yield (
                logging.INFO,
                f"worker {worker}: {counted(self._attempts[worker], self._unit)} "
                f"(now: {self._unit} {event.claim.item_key})",
                {"worker": worker, "attempted": self._attempts[worker]},
            )

    def _chosen(self, event: WorkersChosen) -> Line:
        tried = ", ".join(f"{workers}: {rate:,.0f}/s" for workers, rate in event.tried)
        text = f"going on with {counted(event.workers, 'worker')} ({tried})"
        facts = [{"workers": number, "items_per_s": round(rate, 1)} for number, rate in event.tried]
        return logging.INFO, text, {"workers": event.workers, "tried": facts}

    def _finished(self, record: CycleRecord) -> Line:
        severity = logging.ERROR if record.failed or record.orphaned else logging.INFO
        return severity, outcome_line(record, self._unit), as_object(record)
