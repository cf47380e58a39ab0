"""The rival of bars 21 and 23: the usual consumer script, one process, same library, same SQL.

python -m tests.bench.stream_plain AMQP_URL DSN COUNT
"""

import sys
from typing import Any

import pika
import psycopg

ACKNOWLEDGE = "INSERT INTO etl.done_message (job, message_id) VALUES ('telemetry', %s)"
STORE = "CALL telemetry.store(%s, %s)"


def main() -> None:
    """Store so many messages, each in its own transaction, and acknowledge it after COMMIT."""
    url, dsn, count = sys.argv[1:]
    left = int(count)
    with psycopg.connect(dsn) as database, pika.BlockingConnection(pika.URLParameters(url)) as amqp:
        channel = amqp.channel()
        channel.basic_qos(prefetch_count=2)
        delivery: Any
        for delivery in channel.consume("telemetry"):
            found, properties, body = delivery
            database.execute(ACKNOWLEDGE, [properties.message_id])
            database.execute(STORE, [properties.message_id, body.decode()])
            database.commit()
            channel.basic_ack(found.delivery_tag)
            left -= 1
            if not left:
                break
        channel.cancel()


if __name__ == "__main__":
    main()
