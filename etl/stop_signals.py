"""The signals that ask a cycle to stop."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType

Handler = Callable[[int, FrameType | None], object] | int | None

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

    def __enter__(self) -> "StopSignals":
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self.received.append(number)
        with suppress(BlockingIOError):
            os.write(self._write, b"!")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        os.close(self._read)
        os.close(self._write)

    def fileno(self) -> int:
        """Readable when a signal has come."""
        return self._read

    def clear(self) -> None:
        """Wait for the next one again."""
        with suppress(BlockingIOError):
            os.read(self._read, 100)
