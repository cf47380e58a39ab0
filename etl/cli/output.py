"""Printing that does not mind when nobody listens any more (`etl … | head`).

A reader that goes away must not end a cycle half way, nor change its exit status.
"""

import os
import sys
from typing import TextIO


def tell(message: str, *, end: str = "\n") -> None:
    """Print a result on standard output."""
    _write(sys.stdout, message + end)


def say(message: str) -> None:
    """Print a line for people on standard error."""
    _write(sys.stderr, f"{message}\n")


def is_on_terminal() -> bool:
    """Whether a person watches standard error."""
    stream: TextIO | None = sys.stderr
    return stream is not None and stream.isatty()


def occupy_standard_streams() -> None:
    """Open what was closed: else the next file or socket gets the number of standard error."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _write(stream: TextIO | None, text: str) -> None:
    if stream is None:  # closed by whoever started us
        return
    try:
        stream.write(text)
        stream.flush()
    except OSError:  # a reader that went away, a full disk
        # The interpreter flushes once more when it ends: give it something that takes it.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
