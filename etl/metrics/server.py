"""Hands out metrics over HTTP; each scrape reads the ledger."""

import threading
import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Metric, start_http_server
from prometheus_client.registry import Collector

from etl.errors import UsageError
from etl.metrics.reading import Reading


class LedgerCollector(Collector):
    """Reads when it is asked, one reading at a time, each with a connection of its own.

    A connection that is kept would have to be mended after each restart of the server; to open
    one takes some milliseconds.

    Args:
        ask: Reads.
        tell: Told of what could not be read, when that changes.
    """

    def __init__(self, ask: Callable[[], Reading], tell: Callable[[str], None]) -> None:
        self._ask = ask
        self._tell = tell
        self._lock = threading.Lock()
        self._told: list[str] = []
        self._begun_at = -1.0
        self._found: list[Metric] = []

    def collect(self) -> list[Metric]:
        """The metrics as of now."""
        asked_at = time.monotonic()
        with self._lock:
            # Who waited here gets what was read since: however many ask a server that does not
            # answer, none waits for more than two readings.
            if self._begun_at < asked_at:
                self._begun_at = time.monotonic()
                reading = self._ask()
                self._found = reading.samples.collect()
                self._tell_changes(reading)
            return self._found

    def _tell_changes(self, reading: Reading) -> None:
        problems = [reading.error.message] if reading.error else reading.problems
        if problems != self._told:
            for problem in problems or ["all can be read again"]:
                self._tell(problem)
            self._told = problems


def start(collector: LedgerCollector, address: str, port: int) -> tuple[int, threading.Thread]:
    """Serve in a thread of its own, for as long as the process lives.

    Args:
        collector: What is served.
        address: Where to listen: a name or number of this host.
        port: Where; 0: any that is free.

    Returns:
        The port and the thread.

    Raises:
        UsageError: It cannot listen there.
    """
    registry = CollectorRegistry()
    registry.register(collector)
    try:
        server, thread = start_http_server(port, address, registry)
    except OSError as error:  # also a name that nobody knows
        raise UsageError(
            f"cannot listen at {address} port {port}: {error.strerror or error}",
            "Give another --serve PORT or --address.",
        ) from error
    return server.server_port, thread
