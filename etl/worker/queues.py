"""Which queue a worker claims from: what its orders name."""

import socket
from pathlib import Path

from etl.model import Orders
from etl.queue import FileQueue, PipeQueue, Queue
from etl.worker.gate import Gate


def queue_of(orders: Orders, gate: Gate) -> Queue:
    """The queue that these orders name.

    Args:
        orders: Of this worker.
        gate: Who waits for an item must not do so any longer when it closes.
    """
    if orders.channel is None:
        return FileQueue(Path(orders.queue_folder))
    queue = PipeQueue(socket.socket(fileno=orders.channel))
    gate.when_stopped(queue.interrupt)
    return queue
