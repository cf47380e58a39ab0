"""What is said about a service while it runs: a line for people, and its facts for programs."""

import logging
import signal
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from etl.cli.output import say, to_json
from etl.events import StopRequested, WorkerFinished
from etl.job import Job
from etl.stream import events
from etl.stream.record import StreamRecord

_Line = tuple[int, str, dict[str, Any]]


class StreamLines:
    """Writes each event as a line on standard error.

    Args:
        job: The job, named in each line.
        is_json: One JSON object a line instead of text.
    """

    def __init__(self, job: Job, is_json: bool) -> None:
        self._job = job
        self._is_json = is_json

    def __call__(self, event: events.StreamEvent) -> None:
        """Write the lines of an event."""
        for severity, text, facts in _lines(event, self._job.unit):
            at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            level = logging.getLevelName(severity)
            if self._is_json:
                head = {"at": at, "severity": level, "job": self._job.name}
                kind = {"event": type(event).__name__, "message": text}
                say(to_json({**head, **kind, **facts}))
            else:
                say(f"{at} {level} {self._job.command}: {text}")


def summary(job: Job, record: StreamRecord) -> str:
    """What a service has done, in a sentence."""
    return f"{job.title}: {_counts(record)}; {record.messages_per_s:,.1f} {job.unit}s/s"


def _counts(record: StreamRecord) -> str:
    told = f"{record.received:,} received, {record.done:,} stored"
    others = {
        "duplicates": record.duplicates,
        "to be tried again": record.retried,
        "dead": record.dead,
        "given back": record.returned,
    }
    return ", ".join([told, *(f"{count:,} {what}" for what, count in others.items() if count)])


def _lines(event: events.StreamEvent, unit: str) -> Iterator[_Line]:
    match event:
        case events.MessageFailed() | events.MessageDeferred():
            yield _failure(event, unit)
        case events.BrokerFound() | events.BrokerLost() | events.ConsumingChanged():
            yield _connection(event)
        case WorkerFinished() | events.WorkerDelayed():
            yield _worker(event)
        case _:
            yield _service(event)


def _failure(event: events.MessageFailed | events.MessageDeferred, unit: str) -> _Line:
    result = event.result
    code = f" [{result.sqlstate}]" if result.sqlstate else ""
    facts: dict[str, Any] = {
        "worker": event.worker,
        "message_id": event.key,
        "outcome": result.outcome,
        "sqlstate": result.sqlstate,
        "reason": result.message,
    }
    # What no worker can be given has the number 0.
    what = f"worker {event.worker}: " * (event.worker > 0) + f"{unit} {event.key}"
    if isinstance(event, events.MessageDeferred):
        return logging.WARNING, f"{what} comes again at once: {result.message}{code}", facts
    facts |= {"attempts": event.attempts, "queue": event.queue, "is_dead": event.is_dead}
    where = f"attempt {event.attempts}, to {event.queue}"
    severity = logging.ERROR if event.is_dead else logging.WARNING
    return severity, f"{what} {result.outcome}: {result.message}{code} ({where})", facts


def _connection(
    event: events.BrokerFound | events.BrokerLost | events.ConsumingChanged,
) -> _Line:
    match event:
        case events.BrokerFound():
            return logging.INFO, f"connected to the broker at {event.label}", asdict(event)
        case events.BrokerLost():
            text = f"no connection to the broker at {event.label}: {event.reason}"
            text += f"; again in {event.again_in_s:g} s"
            return logging.WARNING, text, asdict(event)
        case events.ConsumingChanged():
            if event.is_consuming:
                return logging.INFO, "taking messages", asdict(event)
            return logging.WARNING, f"taking no messages: {event.reason}", asdict(event)


def _worker(event: WorkerFinished | events.WorkerDelayed) -> _Line:
    if isinstance(event, events.WorkerDelayed):
        text = f"worker {event.worker}: {event.reason}; starts again in {event.again_in_s:g} s"
        return logging.ERROR, text, asdict(event)
    if event.exit_status == 0:
        return logging.INFO, f"worker {event.worker}: finished", asdict(event)
    status = event.exit_status
    cause = signal.Signals(-status).name if status < 0 else f"exit status {status}"
    after = ", replaced" if event.replaced else ""
    return logging.ERROR, f"worker {event.worker}: ended by {cause}{after}", asdict(event)


def _service(
    event: events.ServiceStarted | StopRequested | events.ServiceProgressed | events.ServiceStopped,
) -> _Line:
    match event:
        case events.ServiceStarted():
            s = "" if event.workers == 1 else "s"
            text = f"service {event.instance}: {event.workers} worker{s} for {event.queue}"
            return logging.INFO, f"{text}, prefetch {event.prefetch}", asdict(event)
        case StopRequested():
            what = "cancelling the" if event.is_cancelling else "finishing the"
            name = signal.Signals(event.signal_number).name
            return logging.WARNING, f"{name}: {what} messages in hand", asdict(event)
        case events.ServiceProgressed():
            return logging.INFO, f"so far: {_counts(event.record)}", event.record.as_dict()
        case events.ServiceStopped():
            return logging.INFO, f"ended: {_counts(event.record)}", event.record.as_dict()
