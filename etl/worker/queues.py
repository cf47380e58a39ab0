"""Which queue a worker claims from: what its orders name."""

from pathlib import Path

from etl.model import Orders
from etl.queue import FileQueue, Queue


def queue_of(orders: Orders) -> Queue:
    """The queue that these orders name."""
    return FileQueue(Path(orders.queue_folder))
