"""What a service has done so far."""

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any


@dataclass(slots=True)
class StreamRecord:
    """The counts of one service, from its start on.

    ``received == done + duplicates + retried + dead + returned`` and what is in hand.

    Attributes:
        received: Deliveries by the broker.
        done: Stored now.
        duplicates: Were stored before; nothing was done.
        retried: Attempts that failed: the message comes again after its back-off.
        dead: Messages that went to the dead letters.
        returned: Given back without an attempt, or lost with the connection to the broker.
        orphaned: Attempts, of those retried and dead, whose worker died.
        busy: Attempts, of those retried, that somebody else stood in the way of.
        stop_signal: The signal that ended it; None: none yet.
    """

    job: str
    instance: str
    workers: int
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    received: int = 0
    done: int = 0
    duplicates: int = 0
    retried: int = 0
    dead: int = 0
    returned: int = 0
    orphaned: int = 0
    busy: int = 0
    duration_s: float = 0.0
    stop_signal: int | None = None
    stop_reason: str = ""

    @property
    def in_hand(self) -> int:
        """Received, and neither settled nor given back."""
        return self.received - self.settled - self.returned

    @property
    def settled(self) -> int:
        """Acknowledged to the broker."""
        return self.done + self.duplicates + self.retried + self.dead

    @property
    def messages_per_s(self) -> float:
        """Stored messages a second, over the whole time."""
        return self.done / self.duration_s if self.duration_s else 0.0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        told = asdict(self)
        told["in_hand"] = self.in_hand
        told["duration_s"] = round(self.duration_s, 3)
        told["messages_per_s"] = round(self.messages_per_s, 1)
        return told
