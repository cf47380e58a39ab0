"""A connection to the broker for one question of a person's, closed after it."""

from collections.abc import Generator
from contextlib import contextmanager, suppress

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError, ChannelClosedByBroker

from etl.errors import BrokerUnreachableError, SchemaError, UsageError
from etl.stream.address import Broker
from etl.stream.reasons import queue_differs, words
from etl.stream.topology import Topology

_ABSENT = 404


@contextmanager
def channel_for(
    purpose: str, broker: Broker, topology: Topology, *, is_passive: bool = False
) -> Generator[BlockingChannel]:
    """A channel for one purpose; what it publishes is confirmed before it goes on.

    Args:
        purpose: What an administrator reads in the broker's list of connections.
        broker: Where.
        topology: The queues; they are made where they are not there.
        is_passive: Make none.

    Raises:
        BrokerUnreachableError: No connection was had, or it was lost.
        UsageError: A queue is there, with other arguments; or the broker refuses something else.
        SchemaError: A queue is not there.
    """
    try:
        connection = pika.BlockingConnection(broker.parameters(f"etl {purpose}"))
        try:
            channel = connection.channel()
            channel.confirm_delivery()
            if not is_passive:
                for name, arguments in topology.queues.items():
                    channel.queue_declare(name, durable=True, arguments=arguments)
            yield channel
        finally:
            with suppress(AMQPError):
                connection.close()
    except ChannelClosedByBroker as error:
        if error.reply_code == _ABSENT:
            raise SchemaError(
                f"the broker at {broker.label} does not have the queue: {error.reply_text}",
                "The service makes it when it first runs.",
            ) from error
        raise queue_differs(broker, error) or UsageError(
            f"the broker at {broker.label} refuses: {words(error)}",
            "Nothing more was done; what it had confirmed before, it has.",
        ) from error
    except (AMQPError, OSError) as error:
        raise BrokerUnreachableError(
            f"cannot reach the broker at {broker.label}: {words(error)}",
            "Check that it runs, and --amqp, ETL_AMQP_URL or ETL_AMQP_URL_FILE.",
        ) from error
