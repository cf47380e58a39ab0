"""A worker's way to the server: it waits for it, as long as there is something to do."""

import time

from etl.errors import DatabaseUnreachableError
from etl.job import Job
from etl.model import Orders
from etl.queue import Claims
from etl.worker.gate import Gate
from etl.worker.queues import session_with
from etl.worker.session import Session

_RECONNECT_S = 60.0
_CONNECT_S = 15.0  # for the first one: the supervisor had just connected
_LONGEST_PAUSE_S = 2.0


def connect(
    queue: Claims, orders: Orders, job: Job, gate: Gate, *, has_item: bool
) -> Session | None:
    """Wait for the server.

    Args:
        queue: The queue that is to be claimed from.
        orders: Where to connect to.
        job: What runs there.
        gate: Whether anything may be claimed.
        has_item: Whether this worker has something to do, even if the queue has not.

    Returns:
        None where there is nothing to do any more.

    Raises:
        EtlError: No connection was had in time.
    """
    patient_until = time.monotonic() + (_RECONNECT_S if has_item else _CONNECT_S)
    pause_s = 0.1
    while not gate.is_over:
        try:
            return session_with(queue, orders, job)
        except DatabaseUnreachableError:
            if time.monotonic() > patient_until:
                raise
            gate.wait(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        if not has_item and not queue.depth():
            break  # too many connections, say, and those who have one did it all
    return None
