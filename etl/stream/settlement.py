"""What becomes of a message: acknowledged, published again, or given back."""

import time

from etl.job.shape import Stream
from etl.model import Outcome, Result
from etl.stream import events
from etl.stream.link import BrokerLink
from etl.stream.message import Message, deliveries_of, failed, renewed
from etl.stream.metrics import Metrics
from etl.stream.record import StreamRecord
from etl.stream.topology import MOST_DELIVERIES, Topology

# Data exceptions: the message itself is broken, and will be the next time.
_BROKEN = "22"


class Settlement:
    """Tells the broker, and counts.

    Args:
        link: To the broker.
        stream: How often a message is tried.
        record: Counts.
        emit: Told of failures.

    Attributes:
        metrics: What is counted for a monitoring system.
    """

    def __init__(
        self, link: BrokerLink, stream: Stream, record: StreamRecord, emit: events.Emit
    ) -> None:
        self._link = link
        self._stream = stream
        self._topology = Topology(stream)
        self._record = record
        self._emit = emit
        self.metrics = Metrics(record)

    def is_current(self, message: Message) -> bool:
        """Whether it came by the connection there is; else it comes again."""
        return message.link == self._link.number and self._link.is_open

    def settle(self, worker: int, message: Message, result: Result) -> None:
        """An attempt has ended.

        Args:
            worker: Number of the worker; 0: it was given to none.
            message: At what.
            result: How. Where it is done and has a SQLSTATE, it had been done before.
        """
        if result.outcome is not Outcome.DONE:
            self._failed(worker, message, result)
            return
        self._record.duplicates += bool(result.sqlstate)
        self._record.done += not result.sqlstate
        self._acknowledge(message)

    def _acknowledge(self, message: Message) -> None:
        self.metrics.duration.observe(time.monotonic() - message.taken_at)
        if self.is_current(message):
            self._link.acknowledge(message.tag)

    def _failed(self, worker: int, message: Message, result: Result) -> None:
        """Publish it again, where it waits or where the dead are; then acknowledge it."""
        is_busy = result.outcome is Outcome.BUSY
        if not is_busy:
            self.metrics.count_error(result)
        if not self.is_current(message):
            self._record.returned += 1
            return
        attempts = message.attempts + (not is_busy)
        is_dead = attempts >= self._stream.attempts or result.sqlstate.startswith(_BROKEN)
        queue = self._topology.dead if is_dead else self._topology.step(attempts)

        def confirmed() -> None:
            self._record.dead += is_dead
            self._record.retried += not is_dead
            self._record.orphaned += result.outcome is Outcome.ORPHANED
            self._record.busy += is_busy
            self._acknowledge(message)
            self._emit(events.MessageFailed(worker, message.key, result, attempts, queue, is_dead))

        self._link.publish(queue, message.body, failed(message, attempts, result), confirmed)

    def give_back(self, message: Message) -> None:
        """It was not attempted: the broker delivers it once more.

        Each time counts as a delivery, and after so many the broker makes it a dead letter: not
        while this service says that it was not the message's fault.
        """

        def confirmed() -> None:
            self._record.returned += 1
            self._link.acknowledge(message.tag)

        if self.is_current(message) and deliveries_of(message.properties) >= MOST_DELIVERIES // 2:
            self._link.publish(self._topology.main, message.body, renewed(message), confirmed)
            return
        self._record.returned += 1
        if self.is_current(message):
            self._link.give_back(message.tag)
