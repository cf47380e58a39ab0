"""Finds out how many workers a cycle should have, while it runs.

The processors of this machine say little: the work is done by the server, and where its disk
or the network is what everybody waits for, more workers than processors help. So workers are
added as long as they bring something, and the last step that brought nothing is taken back.
"""

_WINDOW_S = 1.0
_PATIENCE_S = 20.0
_SETTLING_S = 0.5  # a new worker loads and connects
_ITEMS_EACH = 10
_WORTH_IT = 1.1  # the noise between two windows of one second is about 5 %


class Tuner:
    """Watches one cycle.

    Args:
        workers: How many work at the beginning.
        most: How many there may be.

    Attributes:
        workers: How many there should be now.
        tried: Each number of workers tried, with the items a second that it came to.
        is_settled: Whether it has come to its decision.
    """

    def __init__(self, workers: int, most: int) -> None:
        self.workers = workers
        self.tried: list[tuple[int, float]] = []
        self.is_settled = False
        self._most = max(workers, most)
        self._window: tuple[float, int] | None = None
        self._not_before = 0.0

    def observe(self, now: float, settled: int) -> bool:
        """Look at what has been done so far.

        Args:
            now: Of ``time.monotonic()``.
            settled: How many items have come to an outcome.

        Returns:
            Whether ``workers`` has changed, or the decision been made.
        """
        if self.is_settled or now < self._not_before:
            return False
        if self._window is None:
            self._window = (now, settled)
            return False
        elapsed_s, items = now - self._window[0], settled - self._window[1]
        is_telling = elapsed_s >= _WINDOW_S and items >= _ITEMS_EACH * self.workers
        if not is_telling and elapsed_s < _PATIENCE_S:
            return False
        self._decide(items / elapsed_s)
        self._window, self._not_before = None, now + _SETTLING_S
        return True

    def look_away(self) -> None:
        """What is done just now tells nothing: begin to watch anew."""
        self._window = None

    def _decide(self, rate: float) -> None:
        before = self.tried[-1] if self.tried else (self.workers, 0.0)
        self.tried.append((self.workers, rate))
        if rate <= before[1] * _WORTH_IT:
            self.workers, self.is_settled = before[0], True
            return
        more = min(self._most, self.workers + max(1, self.workers // 2))
        self.is_settled = more == self.workers
        self.workers = more
