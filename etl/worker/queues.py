"""Which queue a worker claims from: what its orders name."""

import os
import socket
from pathlib import Path

from etl.job import Job
from etl.model import Orders
from etl.queue import Claims, FileQueue, PipeQueue, RowQueue
from etl.settings import host_timeout_s
from etl.worker.gate import Gate
from etl.worker.session import Session

_BESIDE_S = 60.0  # for claim and acknowledgement, at the very most


def queue_of(orders: Orders, job: Job, gate: Gate) -> Claims:
    """The queue that these orders name.

    Args:
        orders: Of this worker.
        job: What it works on.
        gate: Who waits for an item must not do so any longer when it closes.
    """
    if orders.channel is not None:
        queue = PipeQueue(socket.socket(fileno=orders.channel))
        gate.when_stopped(queue.interrupt)
        return queue
    folder = Path(orders.queue_folder)
    if not orders.names:
        return FileQueue(folder)
    # Three times it may be tried again at once, for a deadlock.
    longest_s = 4 * max(job.statement_timeout_s, job.slow_statement_timeout_s) + _BESIDE_S
    limits_s = (host_timeout_s(os.environ), longest_s)
    cycle_id = int(orders.parameters["cycle_id"])
    return RowQueue(folder, cycle_id, orders.names, orders.number, limits_s)


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
