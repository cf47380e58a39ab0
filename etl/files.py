"""Writes a file so that a reader sees the old one or the new one, whole, and no link leads away."""

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from etl.errors import FileError

_NEW = 0o644  # less what the umask takes; never writable by anybody else


def replace(path: Path, content: bytes, hint: str, mode: int | None = None) -> None:
    """Write a file, in place of the one that may be there.

    Args:
        path: The file.
        content: What it is to hold.
        hint: What to do where that is not possible.
        mode: Its mode, whatever the umask. None: a new file has what the umask leaves of 0644;
            one that is replaced keeps its own, but nobody else may write it.

    Raises:
        FileError: There is something that is no regular file, a symbolic link for one; or it
            cannot be written. What was there is as it was.
    """
    before = mode_of(path, hint)
    if mode is None and before is not None:
        mode = before & ~0o022
    draft = path.with_name(f".{path.name[:100]}.{secrets.token_hex(8)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(draft, flags, _NEW if mode is None else 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                if mode is not None:
                    os.fchmod(file.fileno(), mode)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except BaseException:
            with suppress(OSError):
                draft.unlink()
            raise
    except OSError as error:
        raise FileError(path, None, str(error.strerror), hint) from error


def mode_of(path: Path, hint: str) -> int | None:
    """The mode of the file that is there; None where there is none.

    Raises:
        FileError: It is no regular file, or cannot be looked at.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FileError(path, None, str(error.strerror), hint) from error
    if stat.S_ISLNK(found.st_mode):
        raise FileError(path, None, "is a symbolic link; nothing is written through one", hint)
    if not stat.S_ISREG(found.st_mode):
        raise FileError(path, None, "is no regular file", hint)
    return stat.S_IMODE(found.st_mode)
