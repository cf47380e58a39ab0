"""Where things are: the SQL, the jobs, and the state that only its owner may write."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from etl.errors import StateFolderError, UsageError
from etl.trust import exchangeable_in, is_open_to_all

MAKE_ROOM = "Make room, or set ETL_STATE_DIR to a folder on another disk."
"""What to do where the state folder cannot be written."""


def sql_folder() -> Path:
    """The SQL shipped with this package: in the wheel beside the code, else in the checkout."""
    packaged = Path(__file__).parent / "sql"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "sql"


def job_folders(flag: Path | None, environ: Mapping[str, str]) -> list[Path]:
    """Folders that hold jobs: the shipped one, then ``--jobs-dir`` or ``ETL_JOBS_DIR``."""
    folders = [sql_folder() / "jobs"]
    named = flag or (Path(environ["ETL_JOBS_DIR"]) if environ.get("ETL_JOBS_DIR") else None)
    if named is not None:
        folders.append(_jobs_folder(named))
    return folders


def _jobs_folder(path: Path) -> Path:
    # Whoever can put a file there runs SQL as whoever runs etl.
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
        place = path if is_open_to_all(path) else exchangeable_in(path.absolute())
    except OSError as error:
        problem = f"the jobs folder {path} cannot be used: {error.strerror}"
        raise UsageError(problem, "Correct --jobs-dir or ETL_JOBS_DIR.") from error
    if not is_folder:
        problem = f"the jobs folder {path} is not a folder"
        raise UsageError(problem, "Correct --jobs-dir or ETL_JOBS_DIR.")
    if place is not None:
        raise UsageError(
            f"the jobs folder {path} is not safe: everybody can write {place}",
            f"Mend it by: chmod o-w '{place}'",
        )
    return path


def state_path(environ: Mapping[str, str]) -> Path:
    """Where state is kept: ``ETL_STATE_DIR``, else ``etl`` in the XDG state folder."""
    named = environ.get("ETL_STATE_DIR")
    if named:
        return Path(named).absolute()
    xdg = environ.get("XDG_STATE_HOME")
    # The XDG specification: a relative path is no setting.
    is_set = xdg is not None and Path(xdg).is_absolute()
    return (Path(xdg) if xdg and is_set else _home() / ".local" / "state") / "etl"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError as error:  # a user id without a name, as containers have them
        raise StateFolderError(
            f"user id {os.geteuid()} has no home folder to keep state in",
            "Set ETL_STATE_DIR to a folder of your own.",
        ) from error


def private_folder(path: Path) -> Path:
    """Make a folder that only this user can enter, or check that it is one.

    Raises:
        StateFolderError: It is a symlink, belongs to somebody else, lets others write,
            or cannot be made or written.
    """
    try:
        for parent in reversed(path.parents):  # never writable by others, whatever the umask
            parent.mkdir(mode=0o755, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
        problem = _unsafe(path, path.lstat())
    except OSError as error:
        raise StateFolderError(
            f"cannot make the state folder {path}: {error.strerror}",
            "Set ETL_STATE_DIR to a folder that you can write.",
        ) from error
    if problem:
        raise StateFolderError(
            f"the state folder {path} {problem}",
            "Set ETL_STATE_DIR to a folder of your own, or mend this one.",
        )
    return path


def _unsafe(path: Path, found: os.stat_result) -> str:
    if stat.S_ISLNK(found.st_mode):
        return "is a symbolic link; its files could end up anywhere"
    if not stat.S_ISDIR(found.st_mode):
        return "is not a folder"
    if found.st_uid != os.geteuid():
        return f"belongs to user id {found.st_uid}, not to you ({os.geteuid()})"
    if found.st_mode & 0o022:
        return "can be written by others (chmod go-w mends that)"
    if not os.access(path, os.W_OK | os.X_OK):
        return "is not writable"
    place = exchangeable_in(path)
    return f"can be exchanged by others, who can write {place}" if place else ""
