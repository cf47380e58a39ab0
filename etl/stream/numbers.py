"""What a service counts for a monitoring system."""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from etl.model import Result
from etl.stream.message import Message

# Milliseconds where a match is small, a minute where it has waited.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Numbers:
    """Its counters.

    Args:
        job: The job's name: its own counter is called after it.
    """

    def __init__(self, job: str) -> None:
        self._registry = CollectorRegistry()
        self._settled = Counter(
            "queue_messages_processed_total",
            "Messages that were acknowledged, by what became of them.",
            ["outcome"],
            registry=self._registry,
        )
        self._stored = Counter(
            f"{job}_processed_total", "Messages that were stored.", registry=self._registry
        )
        self._errors = Counter(
            "worker_errors_total",
            "Attempts that failed, by SQLSTATE; orphaned: the worker died.",
            ["sqlstate"],
            registry=self._registry,
        )
        self._duration = Histogram(
            "queue_processing_duration_seconds",
            "From the delivery of a message to its outcome.",
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._depth = Gauge(
            "queue_depth", "Messages that wait, as last heard.", ["queue"], registry=self._registry
        )
        self._in_flight = Gauge(
            "queue_in_flight", "Messages taken and not acknowledged.", registry=self._registry
        )
        self._ready = Gauge(
            "queue_ready",
            "Whether messages are taken: both connections stand.",
            registry=self._registry,
        )
        for outcome in ("done", "duplicate", "retried", "dead"):
            self._settled.labels(outcome)

    def count(self, outcome: str, message: Message) -> None:
        """A message is settled."""
        self._settled.labels(outcome).inc()
        if outcome == "done":
            self._stored.inc()
        self._duration.observe(time.monotonic() - message.taken_at)

    def count_error(self, result: Result) -> None:
        """An attempt failed."""
        self._errors.labels(result.sqlstate or result.outcome.value).inc()

    def exposition(self, depths: dict[str, int], in_flight: int, *, is_ready: bool) -> bytes:
        """All of it, in the format of Prometheus."""
        for queue, depth in depths.items():
            self._depth.labels(queue).set(depth)
        self._in_flight.set(in_flight)
        self._ready.set(is_ready)
        return generate_latest(self._registry)
