"""Runs the program as a user does, but for the libraries, which are loaded once for all runs.

They take two thirds of the half second that a start takes, and the tests make thousands of them.
So a run is forked from a process that has them loaded: a process all the same, with arguments,
environment, streams and umask of its own, which loads all of the program itself and ends as any
does. Tests of the start, of signals and of terminals start the program themselves.
"""

import functools
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

REPOSITORY = Path(__file__).parent.parent
LONGEST_S = 280
"""A run that hangs ends before pytest's timeout, so nothing of it is left."""
_UMASK = threading.Lock()
_LIBRARIES = ("asyncio", "filelock", "jinja2", "logging", "prometheus_client", "psycopg",
              "rich.console", "rich.live", "rich.progress", "typer")  # fmt: skip


def run(arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[int, bytes, bytes]:
    """Run the program in the repository's folder, with nothing on standard input.

    Returns:
        Exit status, negative where a signal ended it; what it wrote on standard output; and on
        standard error.
    """
    with _UMASK:  # which is asked for by changing it
        umask = os.umask(0)
        os.umask(umask)
    with ExitStack() as stack:
        order = stack.enter_context(tempfile.TemporaryFile())
        order.write(json.dumps([umask, *arguments]).encode() + b"\n")
        order.write(json.dumps(dict(environment)).encode())
        order.flush()
        ends = [os.pipe() for _ in range(3)]
        status, out, err = (stack.enter_context(os.fdopen(end, "rb")) for end, _ in ends)
        socket.send_fds(_loaded().channel, [b"!"], [order.fileno(), *(end for _, end in ends)])
        for _, end in ends:
            os.close(end)
        with ThreadPoolExecutor(1) as pool:
            complaints = pool.submit(err.read)
            said = out.read()
        return int(status.read()), said, complaints.result()


class _Loaded:
    """The process that has the libraries loaded; it ends when this one does."""

    def __init__(self) -> None:
        # The program is loaded some thousand times: it is compiled once.
        known = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        self.channel, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.starter", str(theirs.fileno())],
                cwd=REPOSITORY, env=known, pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL, stdout=theirs.fileno(),  # which cannot seek either
            )  # fmt: skip


@functools.cache
def _loaded() -> _Loaded:
    return _Loaded()


def _serve(channel: socket.socket) -> None:
    """Fork for each order that comes. Returns in the process that is to be the program."""
    for library in _LIBRARIES:
        importlib.import_module(library)
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        said, given, *_ = socket.recv_fds(channel, 1, 4)
        if not said:
            sys.exit()
        if not os.fork():
            channel.close()
            _begin(*given)
            return
        for descriptor in given:
            os.close(descriptor)


def _begin(order: int, status: int, out: int, err: int) -> None:
    """Fork once more: one is to be the program, the other tells how that one ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if process := os.fork():
        os.close(out)
        os.close(err)
        ended = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        os.write(status, str(ended).encode())
        os._exit(0)
    os.close(status)
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.close(out)
    os.close(err)
    with os.fdopen(order, "rb") as file:
        file.seek(0)
        umask, *arguments = json.loads(file.readline())
        os.umask(umask)
        os.environ.clear()
        os.environ.update(json.loads(file.readline()))
    time.tzset()
    sys.argv = [str(REPOSITORY / "etl" / "__main__.py"), *arguments]
    signal.alarm(LONGEST_S)


def main() -> NoReturn:
    """Be the process that is forked, and then the program."""
    _serve(socket.socket(fileno=int(sys.argv[1])))
    from etl.__main__ import main as program

    program()
    sys.exit()


if __name__ == "__main__":
    main()
