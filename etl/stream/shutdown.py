"""How a service ends: it finishes what its workers have in hand, then lets go of the broker.

One signal drains. A second one cancels the running statements, and who has not ended some seconds
later is killed.
"""

import time

from etl.crew.stop_signals import StopSignals
from etl.errors import EtlError
from etl.events import StopRequested
from etl.stream import events
from etl.stream.link import BrokerLink
from etl.stream.record import StreamRecord
from etl.stream.workers import Workers

_KILL_S = 15.0  # after a cancel; a worker gives its statement 5 s and its connection another 5
_END_S = 5.0  # for the broker to say that the connection is closed


class Shutdown:
    """The end of one service.

    Args:
        link: To the broker.
        workers: They finish first.
        record: Told of the signal.
        emit: Told of each signal.

    Attributes:
        signals: Those that have come.
        is_near: Whether nothing new is begun.
        error: What made it end; None: a signal.
    """

    def __init__(
        self, link: BrokerLink, workers: Workers, record: StreamRecord, emit: events.Emit
    ) -> None:
        self._link = link
        self._workers = workers
        self._record = record
        self._emit = emit
        self._cancelled_at: float | None = None
        self._closed_at: float | None = None
        self.signals = StopSignals()
        self.is_near = False
        self.error: EtlError | None = None

    def heed(self) -> None:
        """Do what the signals ask for that have come since the last time."""
        self.signals.clear()
        for number, is_cancelling in self.signals.fresh():
            self._record.stop_signal = self._record.stop_signal or number
            self._emit(StopRequested(number, is_cancelling))
            self._drain()
            if is_cancelling:
                self._workers.tell_all("cancel")
                self._cancelled_at = self._cancelled_at or time.monotonic()

    def begin(self, error: EtlError) -> None:
        """End because of this."""
        self.error = self.error or error
        self._drain()

    def _drain(self) -> None:
        self.is_near = True
        self._workers.drain()

    def is_over(self, now: float, *, is_waiting: bool) -> bool:
        """Whether all workers have ended, and the connection to the broker.

        Args:
            now: Of ``time.monotonic()``.
            is_waiting: Whether somebody still has to say something about a message.
        """
        is_late = self._cancelled_at is not None and now - self._cancelled_at > _KILL_S
        if is_late:
            self._workers.kill_all()
        if not self.is_near or self._workers.at_work:
            return False
        if self._closed_at is None:
            if not is_late and (is_waiting or (self._link.is_open and not self._link.is_settled)):
                return False
            self._closed_at = now
            self._link.end()
        return self._link.is_gone or now - self._closed_at > _END_S
