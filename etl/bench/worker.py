"""A worker process of a bench: drains a queue by attempts that are rolled back.

Its first line of standard input is its orders, as a cycle's worker gets them. Then each line
names a queue and a deadline; it drains that queue and answers with one line of JSON. The end
of the input ends it, and cancels what it does: whoever asked is gone.
"""

import json
import os
import queue
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from io import RawIOBase
from pathlib import Path
from typing import Any

import psycopg

from etl import db
from etl.bench.attempt import RolledBack, session, settle_session
from etl.bench.report import Tally
from etl.job import load as load_job
from etl.model import Orders
from etl.queue import FileQueue
from etl.sqlfile import shipped
from etl.worker.orders import obey


def _listen(orders: RawIOBase, lines: "queue.Queue[bytes]", connection: db.Connection) -> None:
    while line := orders.readline():
        lines.put(line)
    with suppress(psycopg.Error):
        connection.cancel_safe(timeout=5)
    os._exit(1)


def _drain(number: int, folder: Path, deadline: float, rolled_back: RolledBack) -> dict[str, Any]:
    """Drain a queue, and tell how."""
    tally, work_s, longest_s = Tally(), 0.0, 0.0
    cpu_begun = time.process_time()
    begun = ended = time.monotonic()
    items = FileQueue(folder)
    claim = items.claim(number)
    while claim is not None and begun < deadline:
        attempt = rolled_back.attempt(claim)
        claim = next(iter(items.exchange(number, [(claim, attempt.result)])), None)
        tally.count(attempt.result)
        ended = time.monotonic()
        work_s += ended - begun
        longest_s = max(longest_s, ended - begun)
        begun = ended
    items.close()
    return {
        **asdict(tally),
        "ended_at": ended,
        "work_s": work_s,
        "longest_s": longest_s,
        "cpu_s": time.process_time() - cpu_begun,
        "has_more": claim is not None,
    }


def _work(orders: Orders, source: RawIOBase) -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])  # it was started with it blocked
    job = load_job(Path(orders.job_folder))
    target = db.Target(orders.dsn, orders.label)
    lines: queue.Queue[bytes] = queue.Queue()
    with session(target, f"etl:bench {job.command} w{orders.number}") as connection:
        settle_session(connection, job, (orders.deadline or 0.0) - time.monotonic())
        (process,) = db.one(connection, shipped("session/server_process"))
        rolled_back = RolledBack(connection, job, orders.parameters)
        threading.Thread(target=_listen, args=(source, lines, connection), daemon=True).start()
        _answer({"process": process})
        while True:
            folder, deadline = json.loads(lines.get())
            _answer(_drain(orders.number, Path(folder), deadline, rolled_back))


def _answer(value: dict[str, Any]) -> None:
    os.write(sys.stdout.fileno(), f"{json.dumps(value)}\n".encode())


if __name__ == "__main__":
    obey(_work)
