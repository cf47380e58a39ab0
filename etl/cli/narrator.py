"""What is said about a cycle while it runs: a line for people, and its facts for programs."""

import logging
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict

from etl import events
from etl.cli.log import Line, stop_line, worker_line
from etl.cli.render import as_object, outcome_line, prediction_line
from etl.cli.words import counted, seconds
from etl.model import WEIGHT, CycleRecord, Outcome

_EVERY = 100
_Plain = (
    events.CycleRecovered
    | events.CommitsLost
    | events.ConnectionLost
    | events.ConnectionFound
    | events.ClaimingPaused
    | events.ClaimingResumed
    | events.CycleAwaited
)
"""The events of which all facts are told, and nothing else."""


class Narrator:
    """Turns what happens in a cycle into lines for people and programs.

    Args:
        unit: What one item is, in the singular.
    """

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._attempts: Counter[int] = Counter()
        self._done: Counter[int] = Counter()
        self._record: CycleRecord | None = None
        self._queued = self._tenths = 0
        self._begun = 0.0

    def lines(self, event: events.Event) -> Iterator[Line]:
        """The lines for an event: severity, text, and the facts of it."""
        match event:
            case events.BacklogCounted():
                yield from self._backlog(event)
            case events.ItemAttempted():
                yield from self._attempt(event)
            case events.WorkerFinished():
                did = f", {counted(self._done[event.worker], self._unit)} done"
                yield worker_line(event, did)
            case events.CycleJoined():
                # Its workers may have the numbers of those in the cycle before.
                self._attempts.clear()
                self._done.clear()
                workers = counted(event.workers, "worker")
                text = f"taking part in cycle {event.cycle_id} with {workers}"
                yield logging.INFO, text, asdict(event)
            case _:
                yield _line(event, self._unit)

    def _backlog(self, event: events.BacklogCounted) -> Iterator[Line]:
        record, unit = event.record, self._unit
        self._record, self._queued, self._begun = record, event.queued, time.monotonic()
        levels = ", ".join(f"{x.found:,} {x.name}" for x in record.levels.values() if x.found)
        facts = {"found": record.found, "queued": event.queued, "workers": record.workers}
        if not record.found:
            yield logging.INFO, f"no {unit}s to refresh", facts
            return
        yield logging.INFO, f"found {counted(record.found, unit)} to refresh: {levels}", facts
        if event.queued < record.found:
            yield logging.INFO, f"{self._limit(event)} in order of priority", facts
        if record.predicted is not None:
            text = f"predicted: {prediction_line(record.predicted)}"
            yield logging.INFO, text, asdict(record.predicted)
        yield logging.INFO, f"using {counted(record.workers, 'worker')}", facts

    @staticmethod
    def _limit(event: events.BacklogCounted) -> str:
        record = event.record
        if event.is_cut_by_time and record.time_limit_s is not None:
            limit = seconds(record.time_limit_s)
            return f"time limit {limit}: the first {event.queued:,}, which should be done by then,"
        why = "catching up, limit" if event.is_catch_up else "limit"
        return f"{why} {record.max_items:,}: the first {event.queued:,}"

    def _attempt(self, event: events.ItemAttempted) -> Iterator[Line]:
        worker, result, record = event.worker, event.result, self._record
        size = record.size(event.claim.values.get(WEIGHT)) if record is not None else 1
        self._attempts[worker] += size
        self._done[worker] += size * (result.outcome is Outcome.DONE)
        key = event.claim.item_key
        if result.outcome is not Outcome.DONE:
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
        if record is not None and record.counts_keys:
            yield from self._progress(record.claimed)
        elif self._attempts[worker] % _EVERY == 0:
            attempted = self._attempts[worker]
            text = f"worker {worker}: {counted(attempted, self._unit)} (now: {self._unit} {key})"
            yield logging.INFO, text, {"worker": worker, "attempted": attempted}

    def _progress(self, claimed: int) -> Iterator[Line]:
        """How far a cycle of key ranges is, and when it will be through: a line for each tenth."""
        queued = self._queued
        tenths = claimed * 10 // queued if queued else 10
        if self._tenths < tenths < 10:
            self._tenths = tenths
            left_s = (time.monotonic() - self._begun) * (queued / claimed - 1)
            text = f"{claimed:,} of {queued:,} {self._unit}s, {tenths}0 %; {seconds(left_s)} left"
            facts = {"claimed": claimed, "queued": queued, "left_s": round(left_s, 1)}
            yield logging.INFO, text, facts


def _line(
    event: events.ItemDeferred
    | events.WorkersChosen
    | events.CycleFinished
    | events.StopRequested
    | events.CancelRequested
    | _Plain,
    unit: str,
) -> Line:
    match event:
        case events.ItemDeferred():
            key, result = event.claim.item_key, event.result
            text = (
                f"worker {event.worker}: {unit} {key} comes again at the end of the cycle: "
                f"{result.message} [{result.sqlstate}]"
            )
            facts = {"worker": event.worker, "item_key": key, "sqlstate": result.sqlstate}
            return logging.WARNING, text, facts
        case events.WorkersChosen():
            tried = ", ".join(f"{workers}: {rate:,.0f}/s" for workers, rate in event.tried)
            text = f"going on with {counted(event.workers, 'worker')} ({tried})"
            rates = [
                {"workers": count, "items_per_s": round(rate, 1)} for count, rate in event.tried
            ]
            return logging.INFO, text, {"workers": event.workers, "tried": rates}
        case events.CycleFinished(record):
            severity = logging.ERROR if record.failed or record.orphaned else logging.INFO
            return severity, outcome_line(record, unit), as_object(record)
        case events.StopRequested() | events.CancelRequested():
            return stop_line(event, unit)
        case _:
            severity = logging.INFO if isinstance(event, events.CycleAwaited) else logging.WARNING
            return severity, _text(event, unit), asdict(event)


def _text(event: _Plain, unit: str) -> str:
    match event:
        case events.CycleRecovered():
            text = (
                f"cycle {event.cycle_id} before was cut off: {counted(event.claimed, unit)} "
                f"attempted, {event.orphaned:,} of them in hand; its record is closed now"
            )
        case events.CommitsLost():
            lost = counted(event.items, unit)
            text = f"the server has crashed; what it has lost is done again: {lost}"
        case events.ConnectionLost():
            text = f"lost the database: {event.reason}; the workers go on as far as they can"
        case events.ConnectionFound():
            text = "found the database again"
        case events.ClaimingPaused():
            text = f"claiming nothing for now: {event.reason}"
        case events.ClaimingResumed():
            text = f"claiming again, after {seconds(event.waited_s)}"
        case events.CycleAwaited():
            text = "waiting for a cycle with --queue postgres"
    return text
