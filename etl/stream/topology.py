"""The queues of a stream: the one that is consumed, those that wait, and the dead letters.

::

    telemetry --failed--> telemetry.retry.5000ms --after its time--> telemetry
        |                 telemetry.retry.20000ms, …
        +--broken, or attempts used up--> telemetry.dead --held release--> telemetry

One queue for each time to wait: in a single one a message that waits long would hold up those
behind it. A service publishes to them and waits for the broker's confirmation before it
acknowledges the original, so a crash in between leaves two of the same message and never none.
"""

from etl.job.shape import Stream
from etl.settings import LARGEST

_FACTOR = 4
MOST_DELIVERIES = 20
"""So often a quorum queue delivers a message that nobody acknowledges: it kills its services."""

Arguments = dict[str, str | int]


class Topology:
    """The queues of one stream.

    Args:
        stream: As its job.toml says.

    Attributes:
        main: Name of the queue that is consumed.
        dead: Name of the queue of dead letters.
        queues: The arguments of each, by name; each comes before those that refer to it.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.main = stream.queue
        self.dead = f"{stream.queue}.dead"
        self.queues = self._quorum() if stream.type == "quorum" else self._classic()

    def step(self, attempts: int) -> str:
        """The name of the queue in which a message waits after that many failures."""
        return self._step_name(self._back_off_ms(max(1, attempts)))

    def _classic(self) -> dict[str, Arguments]:
        return {self.dead: {}, self.main: {}, **self._steps({})}

    def _quorum(self) -> dict[str, Arguments]:
        kind: Arguments = {"x-queue-type": "quorum"}
        # What the broker moves on itself is then never lost.
        safe: Arguments = {
            **kind,
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        }
        main = {**safe, **_moved_on_to(self.dead), "x-delivery-limit": MOST_DELIVERIES}
        # Looking at dead letters delivers them, and gives them back: that must not use them up.
        dead = {**kind, "x-delivery-limit": LARGEST}
        return {self.dead: dead, self.main: main, **self._steps(safe)}

    def _steps(self, arguments: Arguments) -> dict[str, Arguments]:
        most = min(max(2, self._stream.attempts), 40)
        waits = sorted({self._back_off_ms(attempts) for attempts in range(1, most)})
        more = {**arguments, **_moved_on_to(self.main)}
        return {self._step_name(wait): {**more, "x-message-ttl": wait} for wait in waits}

    def _back_off_ms(self, attempts: int) -> int:
        wait_s = self._stream.back_off_s * float(_FACTOR) ** min(attempts - 1, 40)
        return max(1, round(min(wait_s, self._stream.longest_back_off_s) * 1000))

    def _step_name(self, wait_ms: int) -> str:
        return f"{self.main}.retry.{wait_ms}ms"


def _moved_on_to(queue: str) -> Arguments:
    """Where the broker moves what has waited long enough, or was delivered too often."""
    return {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue}
