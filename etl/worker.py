"""A worker process: claim an item, execute it, acknowledge it, claim the next.

It is started by a supervisor, which sends one line of JSON on standard input: the
connection string comes that way and so is in no process list. After that line standard
input is how the supervisor is heard:

``drain``          finish the item in hand, then end
``cancel``         cancel the running statement as well, give the item back, end
end of the file    the supervisor is gone: as ``cancel``, and end at once

A thread listens, because the main one waits for the database. Nothing else is shared with
the supervisor but the queue. Exit status: 0 when done, else as for every error.
"""

import json
import os
import signal
import sys
import threading
from contextlib import suppress
from io import FileIO, RawIOBase
from pathlib import Path

import psycopg

from etl import db
from etl.errors import EnvironmentFaultError, EtlError
from etl.executor import Executor, InterruptedItem, reason
from etl.job import Job
from etl.job import load as load_job
from etl.model import Claim, Orders, Outcome, Result
from etl.queue import FileQueue, Queue
from etl.sqlfile import shipped

LOST = "08006"
"""SQLSTATE connection_failure, of an attempt whose connection was lost."""


class Worker:
    """The loop of one worker.

    Args:
        orders: What to do.
    """

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._target = db.Target(orders.dsn, orders.label)
        self._job: Job = load_job(Path(orders.job_folder))
        self._queue: Queue = FileQueue(Path(orders.queue_folder))
        self._is_draining = False
        self._connect()

    def _connect(self) -> None:
        name = f"etl:{self._job.command} w{self._orders.number}"
        self._connection = db.connect(self._target, name)
        db.run(
            self._connection,
            shipped("engine/set_worker_session"),
            statement_timeout=self._job.statement_timeout,
            lock_timeout=self._job.lock_timeout,
        )
        self._executor = Executor(self._connection, self._job.process, self._orders.parameters)

    def _reconnect(self, number: int, claim: Claim) -> None:
        """Connect again after the connection was lost with an item in hand.

        Where that succeeds, the item may have been the cause; else the server was.
        """
        try:
            self._connect()
        except EtlError:
            self._queue.release(number, claim)
            raise

    def drain(self) -> None:
        """Claim no more."""
        self._is_draining = True

    def cancel(self) -> None:
        """Claim no more, and cancel the running statement."""
        self.drain()
        self._executor.is_stopping = True
        with suppress(psycopg.Error):  # the connection is gone, and the statement with it
            self._connection.cancel_safe(timeout=5)

    def run(self) -> None:
        """Work until the queue is empty or a drain is asked for."""
        number = self._orders.number
        while not self._is_draining and (claim := self._queue.claim(number)) is not None:
            try:
                result = self._executor.run(claim)
            except InterruptedItem:
                self._queue.release(number, claim)
                return
            except EnvironmentFaultError:
                self._queue.release(number, claim)
                raise
            except psycopg.OperationalError as error:
                result = Result(Outcome.FAILED, 0.0, error.sqlstate or LOST, reason(error))
                self._reconnect(number, claim)
            self._queue.acknowledge(number, claim, result)


def _listen(worker: Worker, orders: RawIOBase) -> None:
    for line in orders:
        if line == b"drain\n":
            worker.drain()
        elif line == b"cancel\n":
            worker.cancel()
    worker.cancel()
    # The item in hand may have been committed: leave the main thread the time to say so.
    threading.main_thread().join(timeout=5)
    os._exit(1)


def main() -> None:
    """Run one worker by the orders on standard input."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # Unbuffered: a thread that waits in a buffered read would break the interpreter's end.
    orders = FileIO(sys.stdin.fileno(), closefd=False)
    try:
        worker = Worker(Orders(**json.loads(orders.readline())))
        signal.signal(signal.SIGTERM, lambda _number, _frame: worker.drain())
        threading.Thread(target=_listen, args=(worker, orders), daemon=True).start()
        worker.run()
    except EtlError as error:
        sys.stderr.write(error.message)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
