"""What a cycle shares with other hosts, where its queue is in the database."""

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from etl import db
from etl.cycle.link import Link
from etl.errors import UsageError
from etl.job import Job
from etl.model import CycleRecord
from etl.queue import FileQueue, TableQueue
from etl.queue.table import told_as_json
from etl.settings import CycleOptions, host_timeout_s
from etl.sqlfile import shipped
from etl.worker.session import end_sessions, session_name

_PATIENCE_S = 60.0
_CHECK_IN_S = 5.0  # crews check in once a second; a busy server may be late
_FILES = ("job.toml", "process.sql", "cut.sql")


def files_of(job: Job) -> dict[str, str]:
    """SHA-256 of each file of a job that a worker uses, line ends as LF.

    Its procedures are the database's; ``deploy.require_current`` compares them.
    """
    paths = [path for name in _FILES if (path := job.folder / name).exists()]
    return {
        path.name: hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()
        for path in paths
    }


def require_same_files(job: Job, files: dict[str, str]) -> None:
    """Refuse to take part in a cycle whose workers do something else.

    Raises:
        UsageError: A file is another one; the message names it.
    """
    own = files_of(job)
    for name in sorted({*own, *files}):
        if own.get(name) != files.get(name):
            raise UsageError(
                f"{job.folder / name} is not that of the host that runs the cycle",
                "Have the same version of the job's files on all hosts.",
            )


def queue_for(
    job: Job, record: CycleRecord, folder: Path, link: Link, options: CycleOptions
) -> FileQueue | TableQueue:
    """The queue of a cycle, to be built.

    Args:
        job: The job, in its round.
        record: Of the cycle; it is open.
        folder: Of the job's queues, on this host.
        link: The supervisor's connection.
        options: What the user decided.
    """
    cycle_id = record.cycle_id or 0
    path = folder / f"cycle-{cycle_id}"
    if options.queue == "file":
        return FileQueue(path)
    queue = TableQueue(path, cycle_id, link.attempt, takes_outcomes=True)
    given = {
        "job": job.name,
        "parameters": told_as_json(job.parameters(record.as_of, cycle_id)),
        "files": told_as_json(files_of(job)),
        "batch_size": options.batch_size,
    }
    queue.to_be_built(link.another, given)
    return queue


class OtherHosts:
    """The crews of a cycle, seen from the host that runs it.

    Args:
        link: The supervisor's connection.
        queue: Of the cycle; where it is a file there are none.
        job: Its job.
        is_enough: Whether somebody has lost patience.
    """

    def __init__(
        self,
        link: Link,
        queue: FileQueue | TableQueue,
        job: Job,
        is_enough: Callable[[], bool],
    ) -> None:
        self._link, self._job = link, job
        self._cycle_id = None if isinstance(queue, FileQueue) else queue.cycle_id
        self._is_enough = is_enough
        self._silence_s = host_timeout_s(os.environ) + _CHECK_IN_S
        self._asked_at: float | None = None
        self._is_closing = False

    def dismiss(self) -> None:
        """Let the crews claim nothing more; they finish what they have in hand, and leave."""
        if self._cycle_id is not None and not self._is_closing:
            closing, given = shipped("queue/begin_closing"), {"cycle_id": self._cycle_id}
            self._is_closing = self._link.attempt(lambda to: db.run(to, closing, **given))

    def are_at_work(self) -> bool:
        """Whether any are left, now that this host's workers are gone; no more may come.

        Whose connection is gone, or who has not checked in for longer than ``HOST_TIMEOUT``, is
        not waited for: a process that stands still keeps its connection. Where it is this
        connection that is lost, nobody knows: then it is waited for a minute, because the
        outcomes are there, too.
        """
        if self._cycle_id is None:
            return False
        self.dismiss()
        found: list[int] = []
        crews = shipped("queue/crews")
        given = {"cycle_id": self._cycle_id, "silence_s": self._silence_s}
        if self._link.attempt(lambda to: found.extend(db.one(to, crews, **given))):
            self._asked_at = time.monotonic()
            return found[0] > 0
        self._asked_at = self._asked_at or time.monotonic()
        return time.monotonic() - self._asked_at < _PATIENCE_S and not self._is_enough()

    def end_sessions(self) -> None:
        """End what the server still runs for workers of this cycle, on whatever host."""
        if self._cycle_id is not None:
            self._link.attempt(lambda to: end_sessions(to, session_name(self._job)))
