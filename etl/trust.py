"""Which files and folders can be relied on, whoever else uses the machine.

A path that somebody else can exchange decides where queues are written and which SQL runs.
A name that stands for no regular file makes a program wait for ever, or read without end.
"""

import errno
import os
import stat
from pathlib import Path

LARGEST_FILE = 10_000_000
"""Bytes of the largest file of a job. The largest SQL file shipped has 15 thousand."""

_WRITABLE_BY_ALL = 0o002


def open_private(path: Path, flags: int, mode: int = 0o600) -> int:
    """Open a file of the state folder: a regular one of this user's, and no link to one.

    Args:
        path: The file.
        flags: As of os.open.
        mode: Of a file that is made.

    Raises:
        OSError: It is anything else, or cannot be opened. It never waits for a peer.
    """
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, mode)
    found = os.fstat(descriptor)
    problem = ""
    if not stat.S_ISREG(found.st_mode):
        problem = "not a regular file"
    elif found.st_uid != os.geteuid():
        problem = f"belongs to user id {found.st_uid}"
    if problem:
        os.close(descriptor)
        raise OSError(errno.EPERM, problem, str(path))
    return descriptor


def read_file(path: Path) -> bytes:
    """The content of a job's file. Links are followed: a job may be put together of them.

    Raises:
        OSError: It is no regular file, larger than ``LARGEST_FILE``, or cannot be read.
    """
    # Looked at first: to open a device may already do something to it.
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise OSError(errno.EFBIG, f"larger than {LARGEST_FILE // 1_000_000} MB", str(path))
    return content


def is_open_to_all(path: Path) -> bool:
    """Whether everybody may write a file, or put files into a folder. False: also if missing."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    is_changeable = stat.S_ISREG(mode) or stat.S_ISDIR(mode)
    return is_changeable and bool(mode & _WRITABLE_BY_ALL)


def first_open_to_all(folder: Path) -> Path | None:
    """What of a job's folder everybody may write: the folder itself, or a file that it uses."""
    found = (path for pattern in ("*", "*/*") for path in folder.glob(pattern))
    return next((path for path in (folder, *found) if is_open_to_all(path)), None)


def exchangeable_in(path: Path) -> Path | None:
    """The folder above a path in which everybody may put something else in its place.

    In a folder with the sticky bit, such as /tmp, nobody can rename what is another's.
    """
    for folder in (*path.parents, *path.resolve().parents):
        mode = folder.stat().st_mode
        if mode & _WRITABLE_BY_ALL and not mode & stat.S_ISVTX:
            return folder
    return None
