"""What cycles that were cut off have left behind, and where."""

import re
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from etl import db, ledger
from etl.events import CycleRecovered, Emit
from etl.job import Job
from etl.model import CycleRecord
from etl.queue import FileQueue
from etl.settings import private_folder
from etl.sqlfile import shipped

_QUEUE_FOLDER = re.compile(r"cycle-([1-9][0-9]{0,17})\Z")


def queues_folder(state: Path, connection: db.Connection, job: Job) -> Path:
    """The folder of a job's queues on this database; it is made where there is none."""
    system, database = db.one(connection, shipped("engine/database_identity"))
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
    for path in folder.glob("cycle-*/"):
        named = _QUEUE_FOLDER.match(path.name)
        if named is None:
            continue
        queue, cycle_id = FileQueue(path), int(named[1])
        with closing(queue):
            cut_off = ledger.recover(connection, queue, cycle_id, job)
        if cut_off is not None:
            emit(CycleRecovered(cycle_id, cut_off.claimed, cut_off.orphaned))
        shutil.rmtree(path, ignore_errors=True)
    ledger.close_abandoned(connection, record)


def left_behind(state: Path, connection: db.Connection) -> Iterator[tuple[Path, int]]:
    """The queues whose cycle runs no more, with its id; nothing is made or changed.

    Args:
        state: The state folder; it need not exist.
        connection: To the database; the queues of others are left out.
    """
    system, database = db.one(connection, shipped("engine/database_identity"))
    for path in sorted((state / "cycles" / f"{system}-{database}").glob("*/cycle-*/")):
        named = _QUEUE_FOLDER.match(path.name)
        holder = shipped("engine/cycle_lock_holder")
        job = path.parent.name.replace("_", "-")
        if named is not None and db.run(connection, holder, job=job).fetchone() is None:
            is_open = db.run(connection, shipped("doctor/unclosed"), cycle_id=int(named[1]))
            if is_open.fetchone() is not None:
                yield path, int(named[1])
