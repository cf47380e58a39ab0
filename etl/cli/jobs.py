"""The jobs that a command line can name: all there are, or the one with this name."""

import os
import sys
from contextlib import suppress
from pathlib import Path

from etl import folders, job
from etl.cli.output import say
from etl.errors import FileError, UsageError
from etl.job import Job


def jobs_dir() -> Path | None:
    """The folder that ``--jobs-dir`` names, wherever it stands: jobs are commands, so it has
    to be known before the command line can be read."""
    arguments = sys.argv[1:]
    for place, argument in enumerate(arguments):
        if argument == "--jobs-dir" and place + 1 < len(arguments):
            return Path(arguments[place + 1])
        if argument.startswith("--jobs-dir="):
            return Path(argument.partition("=")[2])
    return None


def job_paths() -> list[Path]:
    """The folders of all jobs, whole or broken."""
    return job.job_paths(folders.job_folders(jobs_dir(), os.environ))


def job_names(incomplete: str) -> list[str]:
    """The jobs whose names begin so, for the completion of a command line."""
    names = [job.command_name(path) for path in job_paths()]
    return [name for name in names if name.startswith(incomplete)]


def units() -> list[str]:
    """What the jobs call an item, each name once; those of broken jobs are left out."""
    found: dict[str, None] = {}
    for path in job_paths():
        with suppress(FileError):
            found[job.load(path).unit] = None
    return list(found)


def job_folder(name: str) -> Path:
    """The folder of the job with this name, whole or broken.

    Raises:
        UsageError: There is none.
    """
    paths = {job.command_name(path): path for path in job_paths()}
    path = paths.get(name.replace("_", "-"))
    if path is None:
        raise UsageError(f"there is no job {name}", f"Jobs are: {', '.join(paths)}.")
    return path


def job_named(name: str, *, may_be_stream: bool = False) -> Job:
    """The job with this name.

    Args:
        name: Its name.
        may_be_stream: Whether a job without cycles, whose items are messages, will do.

    Raises:
        UsageError: There is none, or it will not do.
        FileError: Its folder is broken.
    """
    found = job.load(job_folder(name))
    if found.stream is not None and not may_be_stream:
        raise UsageError(
            f"{found.command} takes messages from a queue: it has no cycles",
            f"See 'etl {found.command} --help' and 'etl {found.command} health'.",
        )
    return found


def whole_jobs() -> list[Job]:
    """The jobs whose folders can be read; about each of the others one line is said."""
    from etl import deploy

    found: list[Job] = []
    for path in job_paths():
        try:
            whole = job.load(path)
            deploy.check_files(whole)
        except FileError as error:
            say(f"etl: left out: {error.message}")
        else:
            found.append(whole)
    return found


def jobs_with_cycles() -> list[Job]:
    """The jobs whose folders can be read, but those that take messages from a queue."""
    return [found for found in whole_jobs() if found.stream is None]
