"""The signals that ask a cycle to stop, and what they cut short."""

import os
import select
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import psycopg

from etl import db

Handler = Callable[[int, FrameType | None], object] | int | None

_CANCEL_S = 5.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class StopSignals:
    """Collects the signals that ask to stop, while it is entered.

    A handler only wakes whoever waits on the pipe. SIGHUP is left alone where it is ignored:
    that is what nohup asks for.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        self._previous: dict[int, Handler] = {}
        self.received: list[int] = []
        self._heard = 0

    def __enter__(self) -> "StopSignals":
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self.received.append(number)
        with suppress(BlockingIOError):
            os.write(self._write, b"!")

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        os.close(self._read)
        os.close(self._write)

    def fileno(self) -> int:
        """Readable when a signal has come."""
        return self._read

    def wait(self, seconds: float) -> None:
        """Wait for a signal, that long at most."""
        select.select([self], [], [], seconds)

    def fresh(self) -> Iterator[tuple[int, bool]]:
        """The signals since the last time, each with whether it is another one than the first."""
        for number in self.received[self._heard :]:
            self._heard += 1
            yield number, self._heard > 1

    def clear(self) -> None:
        """Wait for the next one again."""
        with suppress(BlockingIOError):
            os.read(self._read, 100)


@contextmanager
def cancelled_on_stop(
    connection: db.Connection, signals: StopSignals, deadline: float | None
) -> Generator[None]:
    """Cancel what runs inside when a signal comes or the time is over.

    A prioritization may take minutes; and where the server does not even cancel, the
    connection is cut.

    Args:
        connection: Where it runs.
        signals: Entered.
        deadline: When the time is over, of ``time.monotonic()``; None: never.
    """
    over, end = os.pipe()
    left_s = None if deadline is None else max(0.0, deadline - time.monotonic())

    def watch() -> None:
        if over in select.select([signals.fileno(), over], [], [], left_s)[0]:
            return
        with suppress(psycopg.Error):
            connection.cancel_safe(timeout=_CANCEL_S)
        if not select.select([over], [], [], _CANCEL_S)[0]:
            db.cut(connection)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        os.close(end)
        watcher.join()
        os.close(over)
