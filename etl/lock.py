"""One cycle per job and database at a time.

On one host a flock on a file in the state folder decides, so that an overlapping cron start
ends at once and says who runs since when. The kernel drops it with its process: a lock that
a dead process left is free. Between hosts an advisory lock of the database decides; it goes
with the connection. The name of the holder stands in a file of its own, because a process
that tries the lock opens the lock file for writing.
"""

import json
import os
import socket
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from etl import db
from etl.errors import CycleRunningError
from etl.sqlfile import shipped

_HINT = "It was left alone. Run this one again when the other has ended."


@contextmanager
def cycle_lock(
    folder: Path, connection: db.Connection, job: str, started_at: datetime
) -> Generator[None]:
    """Hold the right to run a cycle.

    Args:
        folder: The private folder of this job and database.
        connection: Connection of this cycle; the lock between hosts is bound to it.
        job: Name of the job.
        started_at: For whoever finds the lock taken.

    Raises:
        CycleRunningError: Somebody else runs one.
    """
    from filelock import FileLock, Timeout  # 14 ms that only a cycle needs

    holder = folder / "holder.json"
    lock = FileLock(folder / "cycle.lock", timeout=0, mode=0o600)
    try:
        lock.acquire()
    except Timeout:
        raise CycleRunningError(_told(holder, job), _HINT) from None
    try:
        if db.one(connection, shipped("engine/try_cycle_lock"), job=job) != (True,):
            raise CycleRunningError(_told_by_server(connection, job), _HINT)
        text = {"pid": os.getpid(), "host": socket.gethostname(), "since": f"{started_at:%FT%TZ}"}
        _write_private(holder, json.dumps(text))
        yield
        db.run(connection, shipped("engine/free_cycle_lock"), job=job)
    finally:
        lock.release()


def _write_private(path: Path, text: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o600), "w") as file:
        file.write(text)


def _told(holder: Path, job: str) -> str:
    said = f"another cycle of {job} is running on this database"
    try:
        who = json.loads(holder.read_text())
        return f"{said}: process {who['pid']} on {who['host']} since {who['since']}"
    except (OSError, ValueError, TypeError, KeyError):  # the other is just starting
        return said


def _told_by_server(connection: db.Connection, job: str) -> str:
    row = db.run(connection, shipped("engine/cycle_lock_holder"), job=job).fetchone()
    if row is None:
        return f"another cycle of {job} is running on this database"
    return (
        f"another cycle of {job} is running on this database: "
        f"server process {row[0]}, {row[1]} from {row[2]}, since {row[3]}"
    )
