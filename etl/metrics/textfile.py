"""Writes metrics into a file that node_exporter's textfile collector reads."""

from pathlib import Path

from etl import files
from etl.errors import FileError, UsageError
from etl.trust import exchangeable_in

_SUFFIX = ".prom"
_MODE = 0o644  # whatever the umask: node_exporter runs as another user
_HINT = "Give another path: a file in a folder that this user may write."


def check(path: Path) -> Path:
    """Make sure that a file can be replaced safely, before anything else is done.

    Args:
        path: Where the metrics are to be.

    Returns:
        The same, absolute.

    Raises:
        UsageError: node_exporter would not read it, or somebody else could put another in its
            place.
        FileError: It is no regular file.
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
    except OSError as error:
        raise FileError(path, None, str(error.strerror), _HINT) from error
    if place is not None:
        raise UsageError(
            f"{path} is not safe: everybody can write {place}", f"Mend it by: chmod o-w '{place}'"
        )
    files.mode_of(path, _HINT)
    return path


def write(path: Path, content: bytes) -> None:
    """Replace the file as a whole: whoever reads sees the old one or the new one.

    Raises:
        FileError: It cannot be written; what was there before is untouched.
    """
    files.replace(path, content, _HINT, _MODE)
