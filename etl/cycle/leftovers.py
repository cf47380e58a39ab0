"""What cycles that were cut off have left behind, and where."""

import fcntl
import os
import re
import shutil
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from etl import db, ledger
from etl.events import CycleRecovered, Emit
from etl.folders import private_folder
from etl.job import Job
from etl.model import CycleRecord, Outcome
from etl.queue import FileQueue, OpenClaims, TableQueue
from etl.sqlfile import shipped
from etl.trust import open_private
from etl.worker.session import end_sessions, session_name

_CREW_FOLDER = re.compile(r"crew-([1-9][0-9]{0,17})-([1-9][0-9]{0,8})\Z")
_LEAVE_S = 10.0  # then what they have in hand is undone, and done again
_ASK_AGAIN_S = 0.1
_QUEUE_FOLDER = re.compile(r"cycle-([1-9][0-9]{0,17})\Z")


def queues_folder(state: Path, connection: db.Connection, job: Job) -> Path:
    """The folder of a job's queues on this database; it is made where there is none."""
    system, database = db.one(connection, shipped("session/database_identity"))
    folder = private_folder(state)
    for part in ("cycles", f"{system}-{database}", job.name):
        folder = private_folder(folder / part)
    return folder


def recover(
    connection: db.Connection, folder: Path, record: CycleRecord, job: Job, emit: Emit
) -> None:
    """Close the records of cycles that were cut off, and remove the queues of old ones.

    Args:
        connection: Holds the lock of the job's cycles.
        folder: Of the job's queues.
        record: Of the cycle that begins.
        job: Its job.
        emit: Told of each that was cut off.
    """
    shared = [int(row[0]) for row in db.run(connection, shipped("queue/open_cycles"), job=job.name)]
    for cycle_id in shared:
        _dismiss_crews(connection, cycle_id)
    end_sessions(connection, session_name(job))  # of workers whose cycle is dead
    for cycle_id in shared:
        _recover_shared(connection, folder, cycle_id, job, emit)
    for path in folder.glob("cycle-*/"):
        named = _QUEUE_FOLDER.match(path.name)
        if named is None:
            continue
        cycle_id = int(named[1])
        if cycle_id not in shared:
            with closing(FileQueue(path)) as queue:
                cut_off = ledger.recover(connection, queue, cycle_id, job)
            if cut_off is not None:
                emit(CycleRecovered(cycle_id, cut_off.claimed, cut_off.orphaned))
        shutil.rmtree(path, ignore_errors=True)
    ledger.close_abandoned(connection, record)


def _dismiss_crews(connection: db.Connection, cycle_id: int) -> None:
    """Wait until the crews of a cycle have left, that are at work and may not have noticed yet.

    They claim nothing more, and finish what they have in hand.
    """
    db.run(connection, shipped("queue/begin_closing"), cycle_id=cycle_id)
    until, crews = time.monotonic() + _LEAVE_S, shipped("queue/crews")
    given = {"cycle_id": cycle_id, "silence_s": _LEAVE_S}
    while db.one(connection, crews, **given) != (0,) and time.monotonic() < until:
        time.sleep(_ASK_AGAIN_S)


def _recover_shared(
    connection: db.Connection, folder: Path, cycle_id: int, job: Job, emit: Emit
) -> None:
    """Close the record of a cycle whose queue is in the database, wherever it ran."""
    settle_dead_crews(connection, folder, job, cycle_id)
    path = folder / f"cycle-{cycle_id}"
    with closing(_shared(connection, path, cycle_id)) as queue:
        cut_off = ledger.recover(connection, queue, cycle_id, job)
    if cut_off is not None:
        emit(CycleRecovered(cycle_id, cut_off.claimed, cut_off.orphaned))


def _shared(connection: db.Connection, folder: Path, cycle_id: int) -> TableQueue:
    def perform(action: Callable[[db.Connection], object]) -> bool:
        action(connection)
        return True

    return TableQueue(folder, cycle_id, perform, takes_outcomes=False)


@contextmanager
def crew_folder(folder: Path, cycle_id: int, crew: int) -> Generator[Path]:
    """The folder of a crew of this host, which is locked as long as its supervisor lives.

    Args:
        folder: Of the job's queues.
        cycle_id: The cycle.
        crew: Number of the crew.
    """
    with _one_at_a_time(folder):  # else somebody might find it before it is locked
        path = private_folder(folder / f"crew-{cycle_id}-{crew}")
        lock = open_private(path / "alive", os.O_RDWR | os.O_CREAT)
        fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield path
        shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(lock)


@contextmanager
def _one_at_a_time(folder: Path) -> Generator[None]:
    lock = open_private(folder / "crews.lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def settle_dead_crews(connection: db.Connection, folder: Path, job: Job, cycle_id: int) -> None:
    """See to what crews of this host have left that ended without a word.

    Args:
        connection: In autocommit.
        folder: Of the job's queues.
        job: The job.
        cycle_id: The cycle that is still open; of others there is nothing to tell any more.
    """
    with _one_at_a_time(folder):
        for path in folder.glob("crew-*-*/"):
            named = _CREW_FOLDER.match(path.name)
            if named is None or not _is_dead(path):
                continue
            if int(named[1]) == cycle_id:
                end_sessions(connection, session_name(job, f"{named[2]}___"))
                _settle_left(connection, path, cycle_id)
            shutil.rmtree(path, ignore_errors=True)


def _is_dead(path: Path) -> bool:
    try:
        lock = open_private(path / "alive", os.O_RDWR)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


def _settle_left(connection: db.Connection, folder: Path, cycle_id: int) -> None:
    """Acknowledge as orphaned what the dead workers of this host had in hand, by their journal.

    Args:
        connection: In autocommit; their sessions have ended.
        folder: Where the journal is.
        cycle_id: The cycle.
    """
    claims = OpenClaims()
    with closing(_shared(connection, folder, cycle_id)) as queue:
        for entry in queue.history():
            claims.follow(entry)
        for worker, claim, result in claims.settle("it was cut off with its worker"):
            if result.outcome is Outcome.ORPHANED:
                queue.acknowledge(worker, claim, result)


def left_behind(state: Path, connection: db.Connection) -> Iterator[tuple[Path, int]]:
    """The queues whose cycle runs no more, with its id; nothing is made or changed.

    Args:
        state: The state folder; it need not exist.
        connection: To the database; the queues of others are left out.
    """
    system, database = db.one(connection, shipped("session/database_identity"))
    for path in sorted((state / "cycles" / f"{system}-{database}").glob("*/cycle-*/")):
        named = _QUEUE_FOLDER.match(path.name)
        holder = shipped("lock/cycle_lock_holder")
        job = path.parent.name.replace("_", "-")
        if named is not None and db.run(connection, holder, job=job).fetchone() is None:
            is_open = db.run(connection, shipped("doctor/unclosed"), cycle_id=int(named[1]))
            if is_open.fetchone() is not None:
                yield path, int(named[1])
