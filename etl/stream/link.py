"""The connection to the broker: made, watched, and made again for as long as the service runs.

States, each left by a callback of the client library::

    closed --connect--> opening --channel, queues declared--> open --lost--> closed, for a while

Everything the broker has not heard of when a connection ends, it delivers again. Numbers of
deliveries mean something on their own connection only: ``number`` tells one from the other.
"""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pika
from pika.adapters.select_connection import IOLoop
from pika.channel import Channel
from pika.exceptions import AMQPError

from etl.errors import EtlError
from etl.stream.address import Broker
from etl.stream.reasons import BY_US, queue_differs, words
from etl.stream.topology import Arguments, Topology

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 15.0


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the link tells the service.

    Attributes:
        on_open: All queues are there; nothing is consumed yet.
        on_lost: The connection is gone, or was not had: seconds until the next try, None: there is
            none; and how many messages were published whose confirmation never came.
        on_delivery: A message: tag, properties, body.
        on_fault: It makes no sense to go on.
    """

    on_open: Callable[[], None]
    on_lost: Callable[[float | None, int], None]
    on_delivery: Callable[[int, pika.BasicProperties, bytes], None]
    on_fault: Callable[[EtlError], None]


class BrokerLink:
    """The connection to the broker.

    Args:
        loop: Runs the callbacks.
        broker: Where it is.
        topology: The queues.
        prefetch: Messages that may be delivered and not acknowledged.
        hooks: Told of what happens.

    Attributes:
        number: How many connections there were.
        reason: Why the last connection ended, or was not had.
        depths: Messages in the queues, as last heard.
    """

    def __init__(
        self, loop: IOLoop, broker: Broker, topology: Topology, prefetch: int, hooks: Hooks
    ) -> None:
        self._loop = loop
        self._broker = broker
        self._topology = topology
        self._prefetch = prefetch
        self._hooks = hooks
        self._connection: pika.SelectConnection | None = None
        self._channel: Channel | None = None
        self._consumer: str | None = None
        self._published = 0
        self._unconfirmed: dict[int, Callable[[], None]] = {}
        self._pause_s = _FIRST_PAUSE_S
        self._is_ending = False
        self._timer: object | None = None
        self.number = 0
        self.reason = ""
        self.depths: dict[str, int] = {}

    def connect(self) -> None:
        """Begin to connect; until ``end`` is called, there is always a next try."""
        self._timer = None
        self.number += 1
        self._connection = pika.SelectConnection(
            self._broker.parameters(f"etl {self._topology.main}"),
            on_open_callback=self._on_connected,
            on_open_error_callback=self._on_lost,
            on_close_callback=self._on_lost,
            custom_ioloop=self._loop,
        )

    def end(self) -> None:
        """Close it; what is not acknowledged goes back to the queue."""
        self._is_ending = True
        if self._timer is not None:
            self._loop.remove_timeout(self._timer)
        self.sever("the service ends")

    def sever(self, reason: str) -> None:
        """Give this connection up; all that is not acknowledged comes again by the next one."""
        self._channel = None
        if self._connection is not None and not self.is_gone:
            with suppress(AMQPError):  # it closes already
                self._connection.close(BY_US, reason)

    @property
    def is_open(self) -> bool:
        """Whether messages can be taken and given back."""
        return self._channel is not None

    @property
    def is_gone(self) -> bool:
        """Whether nothing is left to be closed."""
        return self._connection is None or self._connection.is_closed

    @property
    def is_settled(self) -> bool:
        """Whether the broker has confirmed all that was published."""
        return not self._unconfirmed

    def consume(self, *, is_wanted: bool) -> None:
        """Have messages delivered, or no more."""
        if self._channel is None:
            return
        if is_wanted and self._consumer is None:
            self._consumer = self._channel.basic_consume(self._topology.main, self._on_message)
        elif not is_wanted and self._consumer is not None:
            self._channel.basic_cancel(self._consumer)
            self._consumer = None

    @property
    def is_consuming(self) -> bool:
        """Whether messages are delivered."""
        return self.is_open and self._consumer is not None

    def acknowledge(self, tag: int) -> None:
        """The message is done: the broker may forget it."""
        if self._channel is not None:
            self._channel.basic_ack(tag)

    def give_back(self, tag: int) -> None:
        """The message was not attempted: the broker may deliver it to anybody."""
        if self._channel is not None:
            self._channel.basic_nack(tag, requeue=True)

    def publish(
        self,
        queue: str,
        body: bytes,
        properties: pika.BasicProperties,
        when_confirmed: Callable[[], None],
    ) -> None:
        """Send a message to a queue, and call back once the broker has it for certain."""
        if self._channel is None:
            return
        self._published += 1
        self._unconfirmed[self._published] = when_confirmed
        self._channel.basic_publish("", queue, body, properties, mandatory=True)

    def ask_depths(self) -> None:
        """Ask how many messages there are; the answer is in ``depths`` soon."""
        if self._channel is None:
            return
        for queue in self._topology.queues:
            self._channel.queue_declare(queue, passive=True, callback=self._on_declared)

    def _on_connected(self, connection: pika.SelectConnection) -> None:
        connection.channel(on_open_callback=self._on_channel)

    def _on_channel(self, channel: Channel) -> None:
        self._published = 0
        channel.add_on_close_callback(self._on_channel_closed)
        channel.add_on_cancel_callback(self._on_cancelled)
        channel.add_on_return_callback(self._on_returned)
        channel.confirm_delivery(self._on_confirmed)
        channel.basic_qos(prefetch_count=self._prefetch)
        self._declare(channel, deque(self._topology.queues.items()))

    def _declare(self, channel: Channel, queues: deque[tuple[str, Arguments]]) -> None:
        """Make these queues where they are not there, one after the other; then it is open."""
        if not channel.is_open:
            return
        if not queues:
            self._pause_s = _FIRST_PAUSE_S
            self._channel = channel
            self._hooks.on_open()
            return

        def declared(answer: Any) -> None:
            self._on_declared(answer)
            self._declare(channel, queues)

        name, arguments = queues.popleft()
        channel.queue_declare(name, durable=True, arguments=arguments, callback=declared)

    def _on_declared(self, answer: Any) -> None:
        self.depths[answer.method.queue] = answer.method.message_count

    def _on_message(
        self, _channel: Channel, method: Any, properties: pika.BasicProperties, body: bytes
    ) -> None:
        self._hooks.on_delivery(method.delivery_tag, properties, body)

    def _on_confirmed(self, answer: Any) -> None:
        method = answer.method
        if method.NAME != "Basic.Ack":
            self.sever("the broker refuses a message")
        if not self.is_open:  # given up: all that is not acknowledged comes again
            return
        first = min(self._unconfirmed, default=1) if method.multiple else method.delivery_tag
        for number in range(first, method.delivery_tag + 1):
            if number in self._unconfirmed:
                self._unconfirmed.pop(number)()

    def _on_returned(self, *_: Any) -> None:
        # The broker confirms right behind this a message that it has nowhere to put.
        self.sever("a queue is missing")

    def _on_cancelled(self, _: Any) -> None:
        self.sever("the queue was deleted")

    def _on_channel_closed(self, _channel: Channel, reason: Exception) -> None:
        if self._is_ending:
            return
        fault = queue_differs(self._broker, reason)
        if fault is not None:
            self._is_ending = True  # the next connection would find the same
            self._hooks.on_fault(fault)
        self.sever(words(reason))

    def _on_lost(self, _connection: object, reason: object) -> None:
        unconfirmed = len(self._unconfirmed)
        self.reason = words(reason)
        self._channel = self._consumer = None
        self._unconfirmed.clear()
        pause_s = None
        if not self._is_ending:
            pause_s, self._pause_s = self._pause_s, min(2 * self._pause_s, _LONGEST_PAUSE_S)
            self._timer = self._loop.call_later(pause_s, self.connect)
        self._hooks.on_lost(pause_s, unconfirmed)
