"""Writes metrics into a file that node_exporter's textfile collector reads."""

import os
import stat
import tempfile
from pathlib import Path

from etl.errors import FileError, UsageError
from etl.trust import exchangeable_in

_SUFFIX = ".prom"
_MODE = 0o644  # whatever the umask: node_exporter runs as another user


def check(path: Path) -> Path:
    """Make sure that a file can be replaced safely, before anything else is done.

    Args:
        path: Where the metrics are to be.

    Returns:
        The same, absolute.

    Raises:
        UsageError: node_exporter would not read it, it is no regular file, or somebody else
            could put another in its place.
    """
    path = path.absolute()
    if path.suffix != _SUFFIX or path.name.startswith("."):
        raise UsageError(
            f"{path} is not read by node_exporter", f"Give it a name that ends in {_SUFFIX}."
        )
    try:
        if not path.parent.is_dir():
            problem = "is not a folder" if path.parent.exists() else "does not exist"
            raise UsageError(f"{path.parent} {problem}", "Make it, writable by this user only.")
        place = exchangeable_in(path)
        kind = path.lstat().st_mode if path.is_symlink() or path.exists() else stat.S_IFREG
    except OSError as error:
        raise FileError(path, None, str(error.strerror), "Give another path.") from error
    if place is not None:
        raise UsageError(
            f"{path} is not safe: everybody can write {place}", f"Mend it by: chmod o-w '{place}'"
        )
    if not stat.S_ISREG(kind):
        what = "a symbolic link" if stat.S_ISLNK(kind) else "no regular file"
        raise UsageError(f"{path} is {what}", "Remove it, or give another path.")
    return path


def write(path: Path, content: bytes) -> None:
    """Replace the file as a whole: whoever reads sees the old one or the new one.

    Raises:
        FileError: It cannot be written; what was there before is untouched.
    """
    hint = "The folder has to be writable by this user; what was there before is untouched."
    try:
        # Its name does not end in .prom, so that nobody reads it half written.
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise FileError(path, None, str(error.strerror), hint) from error
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(descriptor, _MODE)
        temporary.replace(path)
    except OSError as error:
        raise FileError(path, None, str(error.strerror), hint) from error
    finally:
        temporary.unlink(missing_ok=True)
