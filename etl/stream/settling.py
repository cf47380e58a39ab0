"""What becomes of a message: acknowledged, published again, or given back."""

from etl.job.shape import Stream
from etl.model import Outcome, Result
from etl.stream import events
from etl.stream.link import BrokerLink
from etl.stream.message import Message, deliveries_of, failed, renewed
from etl.stream.numbers import Numbers
from etl.stream.record import StreamRecord
from etl.stream.topology import MOST_DELIVERIES, Topology

# Data exceptions: the message itself is broken, and will be the next time.
_BROKEN = "22"


class Settler:
    """Tells the broker, and counts.

    Args:
        link: To the broker.
        stream: How often a message is tried.
        record: Counts for people.
        numbers: Counts for a monitoring system.
        emit: Told of failures.
    """

    def __init__(
        self,
        link: BrokerLink,
        stream: Stream,
        record: StreamRecord,
        numbers: Numbers,
        emit: events.Emit,
    ) -> None:
        self._link = link
        self._stream = stream
        self._topology = Topology(stream)
        self._record = record
        self._numbers = numbers
        self._emit = emit

    def is_current(self, message: Message) -> bool:
        """Whether it came by the connection there is; else it comes again."""
        return message.link == self._link.number and self._link.is_open

    def done(self, message: Message, result: Result) -> None:
        """It is stored; or was so before, when the result has a SQLSTATE."""
        is_duplicate = bool(result.sqlstate)
        if is_duplicate:
            self._record.duplicates += 1
        else:
            self._record.done += 1
        self._numbers.count("duplicate" if is_duplicate else "done", message)
        if self.is_current(message):
            self._link.acknowledge(message.tag)

    def give_back(self, message: Message) -> None:
        """It was not attempted: the broker delivers it once more.

        Each time counts as a delivery, and after so many the broker makes it a dead letter: not
        while this service says that it was not the message's fault.
        """
        self._record.returned += 1
        if not self.is_current(message):
            return
        if deliveries_of(message) < MOST_DELIVERIES // 2:
            self._link.give_back(message.tag)
            return

        def confirmed() -> None:
            self._link.acknowledge(message.tag)

        self._link.publish(self._topology.main, message.body, renewed(message), confirmed)

    def failed(self, worker: int, message: Message, result: Result) -> None:
        """Publish it again, where it waits or where the dead are; then acknowledge it."""
        is_busy = result.outcome is Outcome.BUSY
        if not is_busy:
            self._numbers.count_error(result)
        if not self.is_current(message):
            self._record.returned += 1
            return
        attempts = message.attempts + (not is_busy)
        is_dead = attempts >= self._stream.attempts or result.sqlstate.startswith(_BROKEN)
        queue = self._topology.dead if is_dead else self._topology.step(attempts)

        def confirmed() -> None:
            self._link.acknowledge(message.tag)
            self._record.dead += is_dead
            self._record.retried += not is_dead
            self._record.orphaned += result.outcome is Outcome.ORPHANED
            self._record.busy += is_busy
            self._numbers.count("dead" if is_dead else "retried", message)
            self._emit(events.MessageFailed(worker, message.key, result, attempts, queue, is_dead))

        self._link.publish(queue, message.body, failed(message, attempts, result), confirmed)
