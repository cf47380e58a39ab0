"""A worker process; see loop.py for what it does.

It is started by a supervisor, which sends one line of JSON on standard input: the
connection string comes that way and so is in no process list. After that line standard
input is how the supervisor is heard:

``drain``          finish the item in hand, then end
``pause``          finish the items in hand, then claim nothing until ``resume``
``cancel``         cancel the running statement as well, give the item back, end
end of the file    the supervisor is gone: as ``cancel``, and end at once

A thread listens, because the main one waits for the database; it also cuts a connection on
which no answer comes. Nothing else is shared with the supervisor but the queue. Exit status:
0 when done, else as for every error.
"""

import gc
import os
import select
import signal
import threading
from io import RawIOBase

from etl.model import Orders
from etl.worker.loop import CANCEL_S, Worker
from etl.worker.orders import obey

_LISTEN_S = 1.0
_PAUSES = {b"pause\n": True, b"resume\n": False}


def _listen(worker: Worker, source: RawIOBase) -> None:
    while True:
        if not select.select([source], [], [], _LISTEN_S)[0]:
            worker.watch()
            continue
        line = source.readline()
        if line == b"drain\n":
            worker.drain()
        elif line == b"cancel\n":
            worker.cancel()
        elif line in _PAUSES:
            worker.pause(is_paused=_PAUSES[line])
        elif not line:
            break
    worker.cancel()
    # The item in hand may have been committed: leave the main thread the time to say so.
    threading.main_thread().join(timeout=CANCEL_S)
    os._exit(1)


def _work(orders: Orders, source: RawIOBase) -> None:
    worker = Worker(orders)
    signal.signal(signal.SIGTERM, lambda _number, _frame: worker.drain())
    # The supervisor starts workers with it blocked: until now it would have been their end.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    threading.Thread(target=_listen, args=(worker, source), daemon=True).start()
    # What is there by now stays: a collection need not look at it again and again.
    gc.freeze()
    worker.run()


if __name__ == "__main__":
    obey(_work)
