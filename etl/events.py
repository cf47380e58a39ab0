"""What happens in a cycle, for whoever tells it: log lines, a display."""

from collections.abc import Callable
from dataclasses import dataclass, field

from etl.model import Claim, CycleRecord, Result


@dataclass(frozen=True, slots=True)
class BacklogCounted:
    """The cycle knows what is dirty and how much of it it will do.

    Attributes:
        record: The cycle's.
        queued: How many items the queue holds.
        is_catch_up: Whether the limit is that for catching up.
        is_cut_by_time: Whether the queue ends where the time limit is expected to end it.
        levels: How many of them each level has; of a dry run nothing.
    """

    record: CycleRecord
    queued: int
    is_catch_up: bool = False
    is_cut_by_time: bool = False
    levels: dict[int, int] = field(default_factory=dict[int, int])


@dataclass(frozen=True, slots=True)
class CycleRecovered:
    """The cycle before was cut off; its record is closed now."""

    cycle_id: int
    claimed: int
    orphaned: int


@dataclass(frozen=True, slots=True)
class CycleAwaited:
    """There is no cycle to take part in for now; the next one is waited for."""


@dataclass(frozen=True, slots=True)
class CycleJoined:
    """Workers of this host take part in a cycle that another one runs.

    Attributes:
        cycle_id: The cycle.
        crew: Number of the crew in it.
        workers: How many they are.
    """

    cycle_id: int
    crew: int
    workers: int


@dataclass(frozen=True, slots=True)
class ItemAttempted:
    """An attempt ended, with any outcome.

    Attributes:
        worker: Number of the worker, the first is 1.
        claim: The item.
        result: What the attempt came to.
    """

    worker: int
    claim: Claim
    result: Result


@dataclass(frozen=True, slots=True)
class ItemDeferred:
    """An item failed for now, or ran into the statement timeout; it comes again at the end.

    Attributes:
        worker: Number of the worker, the first is 1.
        claim: The item.
        result: What it comes to, unless it comes again.
    """

    worker: int
    claim: Claim
    result: Result


@dataclass(frozen=True, slots=True)
class CommitsLost:
    """The server has crashed, and may have taken back what it had committed just before.

    Attributes:
        items: So many items that were done; they are done again.
    """

    items: int


@dataclass(frozen=True, slots=True)
class ConnectionLost:
    """The supervisor has lost the database, and tries to find it again.

    Attributes:
        reason: One line, no secrets.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class ConnectionFound:
    """It has a connection again, and the lock of the cycle with it."""


@dataclass(frozen=True, slots=True)
class WorkerFinished:
    """A worker process ended.

    Attributes:
        worker: Its number, the first is 1.
        exit_status: 0 after the work, else what it died of; negative: the signal.
        replaced: Whether another process takes its place.
    """

    worker: int
    exit_status: int
    replaced: bool


@dataclass(frozen=True, slots=True)
class WorkersChosen:
    """It is known how many workers the rest of the cycle has.

    Attributes:
        workers: That many.
        tried: Each number of workers tried, with the items a second that it came to.
    """

    workers: int
    tried: list[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class StopRequested:
    """A signal came; the items in hand are finished, or cancelled at the second one."""

    signal_number: int
    is_cancelling: bool


@dataclass(frozen=True, slots=True)
class ClaimingPaused:
    """Nothing is claimed for now; what is in hand is finished.

    Attributes:
        reason: Why.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class ClaimingResumed:
    """The cycle goes on.

    Attributes:
        waited_s: After so many seconds.
    """

    waited_s: float


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """Somebody cancels the cycle; the items in hand are finished, or cancelled as well."""

    is_cancelling: bool


@dataclass(frozen=True, slots=True)
class CycleFinished:
    """The record is closed."""

    record: CycleRecord


Event = (
    BacklogCounted
    | CycleRecovered
    | CycleAwaited
    | CycleJoined
    | ItemAttempted
    | ItemDeferred
    | CommitsLost
    | ConnectionLost
    | ConnectionFound
    | WorkerFinished
    | WorkersChosen
    | StopRequested
    | ClaimingPaused
    | ClaimingResumed
    | CancelRequested
    | CycleFinished
)
Emit = Callable[[Event], None]
