"""What can be seen without a database: the jobs' folders, the state folder, queues in it."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from etl import deploy
from etl.doctor.finding import Finding, Severity, Verdict, unchecked
from etl.errors import EtlError
from etl.job import load

_LEAST_BYTES, _LEAST_INODES = 1 << 30, 10_000
_REMOTE = ("nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs")
_MEMORY = ("tmpfs", "ramfs")


def look(job_folders: Iterable[Path], state: Path) -> list[Verdict]:
    """The verdicts of the checks of this host.

    Args:
        job_folders: The jobs, whole or broken.
        state: The state folder; it need not exist.
    """
    return [_verdict("jobs", _jobs(job_folders)), _verdict("state", _state_folder(state))]


def queues(state: Path) -> Verdict:
    """The queues in the state folder, where no database tells whether their cycles run."""
    return _verdict("leftovers", _queues(state))


def _verdict(name: str, findings: Iterator[Finding]) -> Verdict:
    try:
        return Verdict(name, tuple(findings))
    except OSError as error:
        return unchecked(
            name,
            f"{error.filename or 'the state folder'}: {error.strerror}",
            "Run etl as the user whose cycles it runs, or set ETL_STATE_DIR to a folder of yours.",
        )


def _jobs(job_folders: Iterable[Path]) -> Iterator[Finding]:
    for folder in job_folders:
        try:
            job = load(folder)
            job.check()
            deploy.check_files(job)
        except EtlError as error:
            why = "This job cannot run; the others do."
            yield Finding(Severity.ERROR, error.message, why, error.hint)


def _state_folder(state: Path) -> Iterator[Finding]:
    place = next((folder for folder in (state, *state.parents) if folder.exists()), state)
    if os.path.lexists(state):
        yield from _ownership(state)
    elif not os.access(place, os.W_OK | os.X_OK):
        yield Finding(
            Severity.ERROR,
            f"{state} does not exist, and cannot be made in {place}",
            "A cycle keeps its queue and its lock there.",
            f"sudo install -d -m 700 -o {os.geteuid()} '{state}'",
        )
    yield from _room(state, place)
    kind = _file_system(place)
    if kind in _REMOTE:
        yield Finding(
            Severity.WARNING,
            f"{state} is on {kind}",
            "Workers claim under flock, which is slow there, and not kept by every server.",
            "Set ETL_STATE_DIR to a folder on a local disk.",
        )
    if kind in _MEMORY:
        yield Finding(
            Severity.NOTE,
            f"{state} is on {kind}, which a restart of this host empties",
            "Nothing is lost but the attempts of a cycle that runs at that moment.",
            "Set ETL_STATE_DIR to a folder on a disk.",
        )


def _ownership(state: Path) -> Iterator[Finding]:
    found = state.lstat()
    problem, command = "", ""
    if state.is_symlink():
        problem = "is a symbolic link"
        command = f"export ETL_STATE_DIR='{state.resolve()}'"
    elif found.st_uid != os.geteuid():
        problem = f"belongs to user id {found.st_uid}, not to you ({os.geteuid()})"
        command = f"sudo chown -R {os.geteuid()} '{state}'"
    elif found.st_mode & 0o022:
        problem = "can be written by others"
        command = f"chmod 700 '{state}'"
    if problem:
        why = "Every cycle refuses it: queues and locks could be exchanged."
        yield Finding(Severity.ERROR, f"{state} {problem}", why, command)


def _room(state: Path, place: Path) -> Iterator[Finding]:
    room = os.statvfs(place)
    free, inodes = room.f_bavail * room.f_frsize, room.f_favail
    if free < _LEAST_BYTES or (room.f_files > 0 and inodes < _LEAST_INODES):
        yield Finding(
            Severity.WARNING,
            f"{free >> 20:,} MB and {inodes:,} inodes are free where {state} is",
            "A cycle whose journal cannot be written ends, and leaves its items dirty.",
            f"du -xh --max-depth=2 '{place}' | sort -h | tail",
        )


def _queues(state: Path) -> Iterator[Finding]:
    for path in sorted((state / "cycles").glob("*/*/cycle-*/")):
        yield Finding(
            Severity.NOTE,
            f"there is a queue of {path.parent.name} in {path}",
            "Whether its cycle runs, only the database knows; each cycle keeps the last queue.",
            "etl doctor  # again, when the database can be reached",
        )


def _file_system(place: Path) -> str:
    """The type of the file system that a folder is on; empty where nobody tells."""
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    found = [
        # A blank in the name of a mount point stands there as \040.
        (len(point), kind)
        for _, point, kind, *_ in (line.split() for line in mounts.splitlines())
        if place.resolve().is_relative_to(point.replace("\\040", " "))
    ]
    return max(found, default=(0, ""))[1]
