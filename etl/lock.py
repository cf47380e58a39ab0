"""One cycle per job and database at a time.

On one host a flock on a file in the state folder decides, so that an overlapping cron start
ends at once and says who runs since when. The kernel drops it with its process: a lock that
a dead process left is free. Between hosts an advisory lock of the database decides; it goes
with the connection, and is taken again with the next one (see Link). The name of the holder
stands in a file of its own, because a process that tries the lock opens the lock file for
writing.
"""

import errno
import json
import os
import socket
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from etl import db
from etl.errors import CycleRunningError, StateFolderError
from etl.folders import MAKE_ROOM
from etl.sqlfile import shipped
from etl.trust import open_private

_HOLDER_LENGTH = 1000
_HINT = "It was left alone. Run this one again when the other has ended."


class Holder(NamedTuple):
    """A session that holds the lock between hosts.

    Attributes:
        process: Its server process: after a restart somebody else's may have the same number.
        since: When it was connected, as text.
    """

    process: int
    since: str


@contextmanager
def host_lock(folder: Path, job: str, started_at: datetime) -> Generator[None]:
    """Hold the right to run a cycle on this host.

    Args:
        folder: The private folder of this job and database.
        job: Name of the job.
        started_at: For whoever finds the lock taken.

    Raises:
        CycleRunningError: Another process here runs one.
    """
    from filelock import FileLock, Timeout  # 14 ms that only a cycle needs

    holder = folder / "holder.json"
    _make_private(folder / "cycle.lock")
    lock = FileLock(folder / "cycle.lock", timeout=0, mode=0o600)
    try:
        lock.acquire()
    except Timeout:
        raise CycleRunningError(_told(holder, job), _HINT) from None
    try:
        text = {"pid": os.getpid(), "host": socket.gethostname(), "since": f"{started_at:%FT%TZ}"}
        _make_private(holder, json.dumps(text))
        yield
    finally:
        lock.release()


def lock_database(
    connection: db.Connection, job: str, ghost: Holder | None = None
) -> Holder | None:
    """Take the right to run a cycle on this database; the connection holds it.

    Args:
        connection: In autocommit.
        job: Name of the job.
        ghost: The session that this cycle has lost. Where the server has not noticed that and
            keeps the lock for it, it is told to end.

    Returns:
        The session that holds it now; None where the ghost has only just been ended.

    Raises:
        CycleRunningError: Another host runs one.
    """
    is_taken, *session = db.one(connection, shipped("lock/try_cycle_lock"), job=job)
    if is_taken:
        return Holder(*session)
    holder = db.run(connection, shipped("lock/cycle_lock_holder"), job=job).fetchone()
    if ghost is not None and holder is not None and Holder(holder[0], holder[3]) == ghost:
        db.run(connection, shipped("session/end_session"), pid=ghost.process)
        return None
    said = f"another cycle of {job} is running on this database"
    if holder is not None:
        pid, name, client, since = holder
        said += f": server process {pid}, {name} from {client}, since {since}"
    raise CycleRunningError(said, _HINT)


def _make_private(path: Path, text: str | None = None) -> None:
    """Make a file of this user's where there is none, with this content if any is given."""
    try:
        with os.fdopen(open_private(path, os.O_WRONLY | os.O_CREAT), "w") as file:
            if text is not None:
                file.truncate()
                file.write(text)
    except OSError as error:
        hint = "Remove it: nobody but etl keeps files there."
        raise StateFolderError(
            f"cannot write {path}: {error.strerror}",
            MAKE_ROOM if error.errno in (errno.ENOSPC, errno.EDQUOT) else hint,
        ) from error


def _told(holder: Path, job: str) -> str:
    said = f"another cycle of {job} is running on this database"
    try:
        with os.fdopen(open_private(holder, os.O_RDONLY)) as file:
            who = json.loads(file.read(_HOLDER_LENGTH))
        return f"{said}: process {who['pid']} on {who['host']} since {who['since']}"
    except (OSError, ValueError, TypeError, KeyError, RecursionError):  # the other is just starting
        return said
