"""How a worker process begins and ends: one line of JSON on standard input, and an exit status."""

import json
import signal
import sys
from collections.abc import Callable
from io import FileIO, RawIOBase

from etl.errors import EtlError
from etl.model import Orders


def obey(work: Callable[[Orders, RawIOBase], None]) -> None:
    """Work by the orders on standard input; an error is told on standard error.

    Args:
        work: Gets the orders, and what else will be said on standard input.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # Unbuffered: a thread that waits in a buffered read would break the interpreter's end.
    source = FileIO(sys.stdin.fileno(), closefd=False)
    line = source.readline()
    if not line:  # whoever started it has died already
        sys.exit(1)
    try:
        work(Orders(**json.loads(line)), source)
    except EtlError as error:
        sys.stderr.write(error.message)
        sys.exit(error.exit_code)
