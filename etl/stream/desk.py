"""What a person asks a broker: how full the queues are, what is dead, and why.

Each question has a connection of its own, which is closed after it.
"""

from collections.abc import Collection, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError, ChannelClosedByBroker

from etl.errors import BrokerUnreachableError, SchemaError, UsageError
from etl.job.shape import Stream
from etl.ledger.held import HeldItem
from etl.stream.address import Broker
from etl.stream.link import is_different, words
from etl.stream.message import (
    FAILED_AT,
    OUTCOME,
    REASON,
    SQLSTATE,
    attempts_of,
    fresh,
    headers,
    key_of,
    released,
)
from etl.stream.topology import Topology

_ABSENT = 404
_NAMED_IN_ERROR = 5
_Letter = tuple[int, pika.BasicProperties, bytes]


@dataclass(frozen=True, slots=True)
class Depths:
    """What is in the queues.

    Attributes:
        messages: In the queue that is consumed.
        waiting: In those that wait for the next attempt.
        dead: Dead letters.
        consumers: Services that take messages.
    """

    messages: int
    waiting: int
    dead: int
    consumers: int


@contextmanager
def _channel(broker: Broker, purpose: str) -> Generator[BlockingChannel]:
    """A channel for one purpose.

    Raises:
        BrokerUnreachableError: No connection was had, or it was lost.
        UsageError: A queue is there, with other arguments; or the broker refuses something else.
        SchemaError: A queue is not there.
    """
    try:
        connection = pika.BlockingConnection(broker.parameters(f"etl {purpose}"))
        try:
            yield connection.channel()
        finally:
            with suppress(AMQPError):
                connection.close()
    except ChannelClosedByBroker as error:
        if error.reply_code == _ABSENT:
            raise SchemaError(
                f"the broker at {broker.label} does not have the queue: {error.reply_text}",
                "The service makes it when it first runs.",
            ) from error
        if is_different(error):
            raise UsageError(
                f"a queue at {broker.label} is not as the job says: {error.reply_text}",
                "Correct [stream] in job.toml; or empty that queue and delete it.",
            ) from error
        raise UsageError(
            f"the broker at {broker.label} refuses: {words(error)}",
            "Nothing more was done; what it had confirmed before, it has.",
        ) from error
    except (AMQPError, OSError) as error:
        raise BrokerUnreachableError(
            f"cannot reach the broker at {broker.label}: {words(error)}",
            "Check that it runs, and --amqp, ETL_AMQP_URL or ETL_AMQP_URL_FILE.",
        ) from error


def depths(broker: Broker, stream: Stream) -> Depths:
    """How many messages there are.

    Raises:
        EtlError: Nobody knows.
    """
    topology = Topology(stream)
    found: dict[str, Any] = {}
    with _channel(broker, "health") as channel:
        for queue in topology.queues():
            found[queue.name] = channel.queue_declare(queue.name, passive=True).method
    waiting = sum(
        method.message_count
        for name, method in found.items()
        if name not in (topology.main, topology.dead)
    )
    main = found[topology.main]
    return Depths(
        main.message_count, waiting, found[topology.dead].message_count, main.consumer_count
    )


def declare(channel: BlockingChannel, topology: Topology) -> None:
    """Make the queues, where they are not there."""
    for queue in topology.queues():
        channel.queue_declare(queue.name, durable=True, arguments=queue.arguments)


def publish(broker: Broker, stream: Stream, messages: Iterable[tuple[str, bytes]]) -> Iterator[int]:
    """Publish messages; each is confirmed by the broker before the next.

    Args:
        broker: Where.
        stream: Whose queue.
        messages: Id and body of each.

    Yields:
        The bytes of the body that the broker has now.
    """
    topology = Topology(stream)
    with _channel(broker, "publish-sample") as channel:
        declare(channel, topology)
        channel.confirm_delivery()
        for key, body in messages:
            channel.basic_publish("", topology.main, body, fresh(key), mandatory=True)
            yield len(body)


def dead_letters(broker: Broker, job: str, stream: Stream) -> list[HeldItem]:
    """The dead letters of a job, in the order of the queue; all stay there.

    Args:
        broker: Where.
        job: The job's name.
        stream: Its queue.
    """
    topology = Topology(stream)
    found: list[HeldItem] = []
    with _channel(broker, "held list") as channel:
        declare(channel, topology)
        for _, properties, body in _fetched(channel, topology.dead):
            found.append(_item(job, properties, body))
    return found


def release(broker: Broker, stream: Stream, keys: Collection[str] | None) -> list[str]:
    """Put dead letters back into the queue that is consumed, as if they had never failed.

    Args:
        broker: Where.
        stream: Whose dead letters.
        keys: Their ids; None: all there are.

    Returns:
        Their ids, in order.

    Raises:
        UsageError: One of them is no dead letter; then nothing was released.
    """
    topology = Topology(stream)
    done: list[str] = []
    with _channel(broker, "held release") as channel:
        declare(channel, topology)
        channel.confirm_delivery()
        letters = _fetched(channel, topology.dead)
        for tag, properties, body in letters if keys is None else _named(letters, set(keys)):
            key = key_of(properties, body)
            # Confirmed first: a crash in between leaves two, and the second changes nothing.
            properties = released(properties, key)
            channel.basic_publish("", topology.main, body, properties, mandatory=True)
            channel.basic_ack(tag)
            done.append(key)
    return sorted(done)


def _named(letters: Iterable[_Letter], keys: set[str]) -> list[_Letter]:
    """Those with these ids; none is given up before all are found."""
    found = [letter for letter in letters if key_of(*letter[1:]) in keys]
    _require(keys - {key_of(*letter[1:]) for letter in found})
    return found


def _require(missing: set[str]) -> None:
    if missing:
        named = ", ".join(repr(key) for key in sorted(missing)[:_NAMED_IN_ERROR])
        more = len(missing) - _NAMED_IN_ERROR
        raise UsageError(
            f"not held: {named}{f' and {more} more' if more > 0 else ''}; nothing was released",
            "'etl held list' with the job lists what is.",
        )


def _fetched(channel: BlockingChannel, queue: str) -> Iterator[_Letter]:
    """What is in a queue now; whatever is not acknowledged goes back when the channel closes."""
    count = channel.queue_declare(queue, passive=True).method.message_count
    for _ in range(count):
        method, properties, body = channel.basic_get(queue)
        if method is None or properties is None or body is None:
            return
        yield int(method.delivery_tag or 0), properties, body


def _item(job: str, properties: pika.BasicProperties, body: bytes) -> HeldItem:
    """A dead letter as a held item; of one that the broker gave up, the broker's own reason."""
    told = headers(properties)
    reason = told.get(REASON) or told.get("x-first-death-reason")
    at = str(told.get(FAILED_AT, ""))
    return HeldItem(
        job=job,
        item_key=key_of(properties, body),
        state="quarantined",
        attempts=attempts_of(properties),
        outcome=str(told.get(OUTCOME, "orphaned")),
        sqlstate=str(told.get(SQLSTATE) or "") or None,
        message=str(reason) if reason else None,
        held_until=at,
        quarantined_at=at or None,
        last_cycle_id=0,
    )
