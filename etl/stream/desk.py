"""What a person has to do with the queues: how full are they, and messages to try them with."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from etl.job.shape import Stream
from etl.stream.address import Broker
from etl.stream.channel import channel_for
from etl.stream.message import fresh
from etl.stream.topology import Topology


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


def depths(broker: Broker, stream: Stream) -> Depths:
    """How many messages there are.

    Raises:
        EtlError: Nobody knows.
    """
    topology = Topology(stream)
    with channel_for("health", broker, topology, is_passive=True) as channel:
        found = {name: channel.queue_declare(name, passive=True).method for name in topology.queues}
    main, dead = found.pop(topology.main), found.pop(topology.dead)
    waiting = sum(step.message_count for step in found.values())
    return Depths(main.message_count, waiting, dead.message_count, main.consumer_count)


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
    with channel_for("publish-sample", broker, topology) as channel:
        for key, body in messages:
            channel.basic_publish("", topology.main, body, fresh(key), mandatory=True)
            yield len(body)
