"""A service's numbers, for a monitoring system: its record, and what only that wants to know."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from etl.model import Result
from etl.stream.record import StreamRecord

# Milliseconds where a match is small, a minute where it has waited.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics(Collector):
    """The metrics of one service.

    Args:
        record: Its counts; the job's own counter is called after the job.

    Attributes:
        duration: Observed with the seconds from the delivery of a message to its outcome.
    """

    def __init__(self, record: StreamRecord) -> None:
        self._record = record
        self._registry = registry = CollectorRegistry()
        registry.register(self)
        self._errors = Counter(
            "worker_errors_total",
            "Attempts that failed, by SQLSTATE; orphaned: the worker died.",
            ["sqlstate"],
            registry=registry,
        )
        self.duration = Histogram(
            "queue_processing_duration_seconds",
            "From the delivery of a message to its outcome.",
            buckets=_BUCKETS,
            registry=registry,
        )
        self._depth = Gauge(
            "queue_depth", "Messages that wait, as last heard.", ["queue"], registry=registry
        )
        self._in_flight = Gauge(
            "queue_in_flight", "Messages taken and not acknowledged.", registry=registry
        )
        self._ready = Gauge(
            "queue_ready", "Whether messages are taken: both connections stand.", registry=registry
        )

    def collect(self) -> Iterator[CounterMetricFamily]:
        """What the record counts."""
        record = self._record
        settled = CounterMetricFamily(
            "queue_messages_processed",
            "Messages that were acknowledged, by what became of them.",
            labels=["outcome"],
        )
        for outcome, count in (
            ("done", record.done),
            ("duplicate", record.duplicates),
            ("retried", record.retried),
            ("dead", record.dead),
        ):
            settled.add_metric([outcome], count)
        yield settled
        yield CounterMetricFamily(
            f"{record.job}_processed", "Messages that were stored.", value=record.done
        )

    def count_error(self, result: Result) -> None:
        """An attempt failed."""
        self._errors.labels(result.sqlstate or result.outcome.value).inc()

    def exposition(self, depths: dict[str, int], *, is_ready: bool) -> bytes:
        """All of it, in the format of Prometheus."""
        for queue, depth in depths.items():
            self._depth.labels(queue).set(depth)
        self._in_flight.set(self._record.in_hand)
        self._ready.set(is_ready)
        return generate_latest(self._registry)
