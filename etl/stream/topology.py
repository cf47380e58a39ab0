"""The queues of a stream: the one that is consumed, those that wait, and the dead letters.

::

    telemetry --failed--> telemetry.retry.5000ms --after its time--> telemetry
        |                 telemetry.retry.20000ms, …
        +--broken, or attempts used up--> telemetry.dead --held release--> telemetry

One queue for each time to wait: in a single one a message that waits long would hold up those
behind it. A service publishes to them and waits for the broker's confirmation before it
acknowledges the original, so a crash in between leaves two of the same message and never none.
"""

from dataclasses import dataclass

from etl.job.shape import Stream
from etl.settings import LARGEST

_FACTOR = 4
MOST_DELIVERIES = 20
"""So often a quorum queue delivers a message that nobody acknowledges: it kills its services."""


@dataclass(frozen=True, slots=True)
class BrokerQueue:
    """A queue to declare."""

    name: str
    arguments: dict[str, str | int]


class Topology:
    """The queues of one stream.

    Args:
        stream: As its job.toml says.

    Attributes:
        main: Name of the queue that is consumed.
        dead: Name of the queue of dead letters.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.main = stream.queue
        self.dead = f"{stream.queue}.dead"

    def step(self, attempts: int) -> str:
        """The name of the queue in which a message waits after that many failures."""
        return self._step_name(self._back_off_ms(max(1, attempts)))

    def queues(self) -> list[BrokerQueue]:
        """All of them, so that each is there before another one refers to it."""
        most = max(2, self._stream.attempts)
        waits = sorted({self._back_off_ms(attempts) for attempts in range(1, min(most, 40))})
        steps = [
            BrokerQueue(
                self._step_name(wait),
                {**self._type, "x-message-ttl": wait, **self._dead_letters_to(self.main)},
            )
            for wait in waits
        ]
        # Looking at dead letters delivers them, and gives them back: that must not use them up.
        limit: dict[str, str | int] = {"x-delivery-limit": LARGEST} if self._is_quorum else {}
        return [BrokerQueue(self.dead, {**self._type, **limit}), self._main(), *steps]

    def _main(self) -> BrokerQueue:
        if not self._is_quorum:
            return BrokerQueue(self.main, {})
        limit = {"x-delivery-limit": MOST_DELIVERIES}
        return BrokerQueue(self.main, {**self._type, **limit, **self._dead_letters_to(self.dead)})

    @property
    def _is_quorum(self) -> bool:
        return self._stream.type == "quorum"

    @property
    def _type(self) -> dict[str, str | int]:
        return {"x-queue-type": "quorum"} if self._is_quorum else {}

    def _dead_letters_to(self, name: str) -> dict[str, str | int]:
        """What makes the broker move messages on; quorum queues without any chance of a loss."""
        to: dict[str, str | int] = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": name}
        if self._is_quorum:
            to |= {"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}
        return to

    def _back_off_ms(self, attempts: int) -> int:
        wait_s = self._stream.back_off_s * float(_FACTOR) ** min(attempts - 1, 40)
        return max(1, round(min(wait_s, self._stream.longest_back_off_s) * 1000))

    def _step_name(self, wait_ms: int) -> str:
        return f"{self.main}.retry.{wait_ms}ms"
