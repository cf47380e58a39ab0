"""The log of a cycle or a service: each line as text or as JSON, on standard error."""

import logging
import signal
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, TypeVar

from etl.cli.output import say, to_json
from etl.events import CancelRequested, StopRequested, WorkerFinished
from etl.job import Job

Line = tuple[int, str, dict[str, Any]]
"""Severity, text for people, facts for programs."""

E = TypeVar("E")


def log_of(job: Job, lines: Callable[[E], Iterable[Line]], *, is_json: bool) -> Callable[[E], None]:
    """What writes each line of an event.

    Args:
        job: The job, named in each line.
        lines: The lines for an event.
        is_json: One JSON object a line instead of text.
    """

    def log(event: E) -> None:
        for severity, text, facts in lines(event):
            at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            level = logging.getLevelName(severity)
            if is_json:
                head = {"at": at, "severity": level, "job": job.name}
                kind = {"event": type(event).__name__, "message": text}
                say(to_json({**head, **kind, **facts}))
            else:
                say(f"{at} {level} {job.command}: {text}")

    return log


def stop_line(event: StopRequested | CancelRequested, unit: str) -> Line:
    """What is said of a signal, or of an operator's word."""
    what = "cancelling the" if event.is_cancelling else "finishing the"
    name = "cancelled by an operator"
    if isinstance(event, StopRequested):
        name = signal.Signals(event.signal_number).name
    return logging.WARNING, f"{name}: {what} {unit}s in hand", asdict(event)


def worker_line(event: WorkerFinished, did: str = "") -> Line:
    """What is said of a worker that has ended, and of what it did."""
    status = event.exit_status
    how = f"died of {signal.Signals(-status).name}" if status < 0 else "finished"
    how = f"ended with exit status {status}" if status > 0 else how
    after = ", replaced" if event.replaced else ""
    severity = logging.ERROR if status else logging.INFO
    return severity, f"worker {event.worker}: {how}{after}{did}", asdict(event)
