"""Where jobs are found, and which folder is none."""

from collections.abc import Iterable
from pathlib import Path

from etl.errors import FileError
from etl.folders import sql_folder
from etl.job.file import NAME, read
from etl.job.job import Job
from etl.trust import first_open_to_all


def command_name(folder: Path) -> str:
    """The command that runs the job in a folder."""
    return folder.name.replace("_", "-")


def job_paths(folders: Iterable[Path]) -> list[Path]:
    """The folders of all jobs, whole or broken, in the order of their names.

    Args:
        folders: Where they are looked for. Of two with one name the later is taken: where it is
            not the shipped one, ``load`` refuses it, and nobody runs what he did not mean.
    """
    found = {path.name: path for parent in folders for path in _folders(parent)}
    return [found[name] for name in sorted(found) if not name.startswith((".", "_"))]


def _folders(parent: Path) -> list[Path]:
    try:
        return [path for path in parent.iterdir() if path.is_dir()]
    except OSError as error:
        raise FileError(parent, None, str(error.strerror), "Jobs are looked for here.") from error


def load(folder: Path) -> Job:
    """Read the job.toml of a folder.

    Raises:
        FileError: It is missing or broken; the message names its line.
    """
    if not NAME.match(folder.name) or folder.name == "etl":
        raise FileError(
            folder, None, "is no name of a job", "Use at most 50 small letters, digits and _."
        )
    shipped = sql_folder() / "jobs"
    # Those lie beside the program: whoever can write there can change that too.
    if folder.parent != shipped:
        twin = shipped / folder.name
        if twin.exists():
            raise FileError(
                folder, None, f"the job {folder.name} exists in {twin} too", "Rename it."
            )
        open_to_all = first_open_to_all(folder)
        if open_to_all is not None:
            hint = "Whoever can write it has SQL run as whoever runs etl: chmod -R o-w mends that."
            raise FileError(open_to_all, None, "can be written by everybody", hint)
    return Job(folder=folder, **read(folder / "job.toml"))
