"""Messages that were given up: listed with their reasons, and put back when a person says so."""

from collections.abc import Collection, Iterable, Iterator

import pika
from pika.adapters.blocking_connection import BlockingChannel

from etl.job.shape import Stream
from etl.ledger.held import HeldItem, require_all
from etl.stream.address import Broker
from etl.stream.channel import channel_for
from etl.stream.message import (
    FAILED_AT,
    OUTCOME,
    REASON,
    SQLSTATE,
    attempts_of,
    headers,
    key_of,
    released,
)
from etl.stream.topology import Topology

_Letter = tuple[int, pika.BasicProperties, bytes]


def listed(broker: Broker, job: str, stream: Stream) -> list[HeldItem]:
    """The dead letters of a job, in the order of the queue; all stay there.

    Args:
        broker: Where.
        job: The job's name.
        stream: Its queue.
    """
    topology = Topology(stream)
    with channel_for("held list", broker, topology) as channel:
        letters = _fetched(channel, topology.dead)
        return [_item(job, properties, body) for _, properties, body in letters]


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
    with channel_for("held release", broker, topology) as channel:
        letters: Iterable[_Letter] = _fetched(channel, topology.dead)
        if keys is not None:
            letters = [letter for letter in letters if key_of(*letter[1:]) in keys]
            found = [key_of(*letter[1:]) for letter in letters]
            require_all(keys, found, "'etl held list' with the job lists what is.")
        for tag, properties, body in letters:
            key = key_of(properties, body)
            # Confirmed first: a crash in between leaves two, and the second changes nothing.
            properties = released(properties, key)
            channel.basic_publish("", topology.main, body, properties, mandatory=True)
            channel.basic_ack(tag)
            done.append(key)
    return sorted(done)


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
