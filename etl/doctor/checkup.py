"""The checks, one after the other; one that fails says so, and the others go on."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from etl import db, deploy
from etl.cycle.leftovers import left_behind
from etl.doctor.finding import Finding, Severity
from etl.errors import DatabaseUnreachableError, EtlError, FileError, SchemaError
from etl.job import Job, load
from etl.sqlfile import shipped

_STATEMENT_S = 5.0
_CLOCK_S = 5.0
_SLOW_ROUND_TRIP_S = 0.02
_LEAST_BYTES, _LEAST_INODES = 1 << 30, 10_000
_REMOTE = ("nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs")
_VERSION_17 = 170_000

THRESHOLDS: dict[str, object] = {
    "waiting_s": 5.0,
    "idle_s": 300.0,
    "open_s": 600.0,
    "unused_bytes": 100 << 20,
    "least_rows": 10_000,
    "share": 0.5,
    "lag_s": 60.0,
}
"""From when on something is worth telling; the names are those of the variables in sql/doctor."""


@dataclass(frozen=True, slots=True)
class Checkup:
    """What to look at.

    Attributes:
        job_folders: The jobs, whole or broken.
        state: The state folder.
        workers: How many workers a cycle here has.
        thresholds: As THRESHOLDS.
    """

    job_folders: list[Path]
    state: Path
    workers: int
    thresholds: dict[str, object]

    def of_host(self) -> Iterator[Finding]:
        """What can be seen without a database: the jobs' folders and the state folder."""
        for folder in self.job_folders:
            try:
                job = load(folder)
                job.check()
                deploy.check_files(job)
            except EtlError as error:
                yield Finding(
                    Severity.ERROR, "jobs", error.message, "This job cannot run.", error.hint
                )
        yield from _state_folder(self.state)

    def of_database(self, connection: db.Connection) -> Iterator[Finding]:
        """What the server tells.

        Raises:
            DatabaseUnreachableError: The connection is lost.
        """
        connection.execute("SET default_transaction_read_only = on")
        connection.execute(f"SET statement_timeout = '{_STATEMENT_S:.0f}s'".encode())
        connection.execute("SET lock_timeout = '1s'")
        for name, check in CHECKS.items():
            try:
                yield from check(self, connection)
            except DatabaseUnreachableError:
                raise
            except EtlError as error:
                yield Finding(
                    Severity.NOTE, name, f"not checked: {error.message}", "Unknown.", error.hint
                )


def _ask(connection: db.Connection, name: str, values: dict[str, object]) -> Iterator[Finding]:
    rows = db.run(connection, shipped(f"doctor/{name}"), **values).fetchall()
    for severity, what, why, command in rows:
        yield Finding(Severity[severity.upper()], name.partition("_")[0], what, why, command)


def _by_query(name: str) -> "Check":
    def check(checkup: Checkup, connection: db.Connection) -> Iterator[Finding]:
        values = {**checkup.thresholds, "needed": checkup.workers + 1}
        return _ask(connection, name, values)

    return check


def _checkpoints(_checkup: Checkup, connection: db.Connection) -> Iterator[Finding]:
    is_new = connection.info.server_version >= _VERSION_17
    return _ask(connection, "checkpoints_17" if is_new else "checkpoints_15", {})


def _clock(_checkup: Checkup, connection: db.Connection) -> Iterator[Finding]:
    begun = time.perf_counter()
    ((there,),) = connection.execute("SELECT clock_timestamp()").fetchall()
    took_s = time.perf_counter() - begun
    ahead_s = (datetime.now(UTC) - there).total_seconds() - took_s / 2
    if abs(ahead_s) > _CLOCK_S:
        yield Finding(
            Severity.WARNING,
            "clock",
            f"the clocks of this host and of the server are {abs(ahead_s):.0f} s apart",
            "Back-offs, ages and the day that counts as today are told by both.",
            "timedatectl set-ntp true  # on both",
        )
    if took_s > _SLOW_ROUND_TRIP_S:
        yield Finding(
            Severity.NOTE,
            "clock",
            f"a round trip to the server takes {took_s * 1000:.0f} ms",
            "Each worker waits for one with every item, unless items are quick.",
            "Run etl nearer to the server, or with more workers: --workers auto",
        )


def _schema(checkup: Checkup, connection: db.Connection) -> Iterator[Finding]:
    jobs: list[Job] = []
    for folder in checkup.job_folders:
        try:
            jobs.append(load(folder))
        except FileError:
            continue  # told by of_host
    for job in [None, *jobs]:
        try:
            deploy.require_current(connection, *([job] if job is not None else []))
        except SchemaError as error:
            what = f"{job.command}: {error.message}" if job is not None else error.message
            why = "No cycle runs with files that the database has not, or has otherwise."
            yield Finding(Severity.ERROR, "schema", what, why, error.hint)
            if job is None:
                return


def _leftovers(checkup: Checkup, connection: db.Connection) -> Iterator[Finding]:
    for path, cycle_id in left_behind(checkup.state, connection):
        yield Finding(
            Severity.NOTE,
            "leftovers",
            f"the queue of cycle {cycle_id} of {path.parent.name} is left behind in {path}",
            "The cycle was cut off before its attempts were recorded; nothing is lost.",
            f"etl {path.parent.name.replace('_', '-')}  # the next cycle records and removes it",
        )


def _state_folder(state: Path) -> Iterator[Finding]:
    place = next((folder for folder in (state, *state.parents) if folder.exists()), state)
    if state.exists() and (state.stat().st_uid != os.geteuid() or state.stat().st_mode & 0o022):
        yield Finding(
            Severity.ERROR,
            "state",
            f"{state} belongs to somebody else, or others may write there",
            "Every cycle refuses it: queues and locks could be exchanged.",
            f"chown {os.geteuid()} '{state}' && chmod 700 '{state}'",
        )
    room = os.statvfs(place)
    free, inodes = room.f_bavail * room.f_frsize, room.f_favail
    if free < _LEAST_BYTES or (room.f_files > 0 and inodes < _LEAST_INODES):
        yield Finding(
            Severity.WARNING,
            "state",
            f"{free >> 20:,} MB and {inodes:,} inodes are free where {state} is",
            "A cycle whose journal cannot be written ends, and leaves its items dirty.",
            f"du -xh --max-depth=2 '{place}' | sort -h | tail",
        )
    kind = _file_system(place)
    if kind in _REMOTE:
        yield Finding(
            Severity.WARNING,
            "state",
            f"{state} is on {kind}",
            "Workers claim under flock, which is slow there, and not kept by every server.",
            "Set ETL_STATE_DIR to a folder on a local disk.",
        )


def _file_system(place: Path) -> str:
    """The type of the file system that a folder is on; empty where nobody tells."""
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    found = [
        (len(point), kind)
        for _, point, kind, *_ in (line.split() for line in mounts.splitlines())
        if place.resolve().is_relative_to(point)
    ]
    return max(found, default=(0, ""))[1]


Check = Callable[[Checkup, db.Connection], Iterator[Finding]]
CHECKS: dict[str, Check] = {
    **{name: _by_query(name) for name in ("server", "blocked", "transactions", "wraparound")},
    **{name: _by_query(name) for name in ("replication", "indexes", "tables")},
    "checkpoints": _checkpoints,
    "clock": _clock,
    "schema": _schema,
    **{name: _by_query(name) for name in ("privileges", "ledger")},
    "leftovers": _leftovers,
}
"""The checks that ask the server, in order, by name."""
