"""Which queue a worker claims from: what its orders name."""

from pathlib import Path

from etl.job import Job
from etl.model import Orders
from etl.queue import Claims, FileQueue, RowQueue
from etl.session import Session


def queue_of(orders: Orders) -> Claims:
    """The queue that these orders name."""
    folder = Path(orders.queue_folder)
    if not orders.names:
        return FileQueue(folder)
    return RowQueue(folder, int(orders.parameters["cycle_id"]), orders.names, orders.number)


def session_with(queue: Claims, orders: Orders, job: Job) -> Session:
    """A connection of a worker that claims from this queue; maybe over this very connection.

    Raises:
        EtlError: No connection was had.
    """
    if not isinstance(queue, RowQueue):
        return Session(orders, job)
    session = Session(orders, job, queue)
    session.lend(queue.attach)
    return session
