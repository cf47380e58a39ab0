"""A cycle in the background: it goes on when the terminal is closed, and writes to a log file."""

import os
import subprocess
import sys

import typer

from etl import folders
from etl.cli.output import say
from etl.job import Job
from etl.trust import open_private

_BEGUN = "ETL_BEGUN_FD"
_SHOWN = 10_000


def detach(job: Job) -> None:
    """Start this very command once more in the background, and wait until its cycle has begun.

    Raises:
        Exit: The cycle did not begin; what it said is told here, and its exit status is the same.
    """
    folder = folders.state_path(os.environ) / "logs"
    folders.private_folder(folder)
    path = folder / f"{job.name}.log"
    log = open_private(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    begins_at = os.fstat(log).st_size
    reading, writing = os.pipe()
    arguments = [argument for argument in sys.argv[1:] if argument != "--detach"]
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "etl", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        pass_fds=[writing],
        env={**os.environ, "WAIT": "", _BEGUN: str(writing)},
    )
    os.close(writing)
    if not os.read(reading, 1):
        status = child.wait()
        begins_at = max(begins_at, os.fstat(log).st_size - _SHOWN)  # the error is the last of it
        said = os.pread(log, _SHOWN, begins_at).decode(errors="replace")
        for line in said.splitlines():
            say(line)
        raise typer.Exit(status if status >= 0 else 128 - status)
    say(f"etl: {job.command} goes on in the background, process {child.pid}, log {path}")
    say(f"     watch it: etl status {job.command} --watch; end it: etl cancel {job.command}")


def tell_begun() -> None:
    """Tell the command that has started this one in the background, if there is one."""
    descriptor = os.environ.pop(_BEGUN, "")
    if descriptor:
        os.write(int(descriptor), b"1")
        os.close(int(descriptor))
