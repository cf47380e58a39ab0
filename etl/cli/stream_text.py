"""What is said about a service while it runs: a line for people, and its facts for programs."""

import logging
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from etl.cli.log import Line, stop_line, worker_line
from etl.cli.words import counted
from etl.events import StopRequested, WorkerFinished
from etl.job import Job
from etl.stream import events
from etl.stream.record import StreamRecord


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


def lines(event: events.StreamEvent, unit: str) -> Iterator[Line]:
    """The lines for an event.

    Args:
        event: What happened.
        unit: What one message is, in the singular.
    """
    match event:
        case events.MessageFailed() | events.MessageDeferred():
            yield _failure(event, unit)
        case WorkerFinished():
            yield worker_line(event)
        case StopRequested():
            yield stop_line(event, "message")
        case events.ServiceProgressed() | events.ServiceStopped():
            when = "ended" if isinstance(event, events.ServiceStopped) else "so far"
            yield logging.INFO, f"{when}: {_counts(event.record)}", event.record.as_dict()
        case _:
            yield *_plain(event), asdict(event)


def _failure(event: events.MessageFailed | events.MessageDeferred, unit: str) -> Line:
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


def _plain(
    event: events.ServiceStarted
    | events.BrokerFound
    | events.BrokerLost
    | events.ConsumingChanged
    | events.WorkerDelayed,
) -> tuple[int, str]:
    match event:
        case events.ServiceStarted():
            text = f"service {event.instance}: {counted(event.workers, 'worker')} for {event.queue}"
            return logging.INFO, f"{text}, prefetch {event.prefetch}"
        case events.BrokerFound():
            return logging.INFO, f"connected to the broker at {event.label}"
        case events.BrokerLost():
            text = f"no connection to the broker at {event.label}: {event.reason}"
            return logging.WARNING, f"{text}; again in {event.again_in_s:g} s"
        case events.ConsumingChanged():
            if event.is_consuming:
                return logging.INFO, "taking messages"
            return logging.WARNING, f"taking no messages: {event.reason}"
        case events.WorkerDelayed():
            again = f"starts again in {event.again_in_s:g} s"
            return logging.ERROR, f"worker {event.worker}: {event.reason}; {again}"
