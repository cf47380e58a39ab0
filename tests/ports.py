"""Ports for servers that have to be told theirs."""

import random
import socket
from contextlib import suppress


def free_port() -> int:
    """A port of this host that nobody uses, and that no client gets: theirs begin at 32768."""
    while True:
        port = random.randrange(16_000, 32_768)  # noqa: S311 - any will do
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("", port))
            return port
