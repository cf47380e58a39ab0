"""What a service tells while it runs; turned into text by the command line alone."""

from collections.abc import Callable
from dataclasses import dataclass

from etl.events import StopRequested, WorkerFinished
from etl.model import Result
from etl.stream.record import StreamRecord


@dataclass(frozen=True, slots=True)
class ServiceStarted:
    """It takes messages as soon as there are broker and database."""

    instance: str
    workers: int
    prefetch: int
    queue: str


@dataclass(frozen=True, slots=True)
class BrokerFound:
    """There is a connection to the broker, and all queues are there."""

    label: str


@dataclass(frozen=True, slots=True)
class BrokerLost:
    """There is none any more, or none was had."""

    label: str
    reason: str
    again_in_s: float


@dataclass(frozen=True, slots=True)
class ConsumingChanged:
    """Messages are taken from now on, or no more."""

    is_consuming: bool
    reason: str


@dataclass(frozen=True, slots=True)
class MessageFailed:
    """An attempt failed, and the message went to another queue.

    Attributes:
        attempts: How often it has failed by now.
        queue: Where it went.
        is_dead: Whether it stays there until it is released.
    """

    worker: int
    key: str
    result: Result
    attempts: int
    queue: str
    is_dead: bool


@dataclass(frozen=True, slots=True)
class MessageDeferred:
    """An attempt failed as that at any other message would; it comes again at once."""

    worker: int
    key: str
    result: Result


@dataclass(frozen=True, slots=True)
class WorkerDelayed:
    """A worker found that no message can succeed, or no database; it starts again later."""

    worker: int
    reason: str
    again_in_s: float


@dataclass(frozen=True, slots=True)
class ServiceProgressed:
    """A minute has passed in which something was done."""

    record: StreamRecord


@dataclass(frozen=True, slots=True)
class ServiceStopped:
    """It has ended."""

    record: StreamRecord


StreamEvent = (
    ServiceStarted
    | BrokerFound
    | BrokerLost
    | ConsumingChanged
    | MessageFailed
    | MessageDeferred
    | WorkerDelayed
    | WorkerFinished
    | StopRequested
    | ServiceProgressed
    | ServiceStopped
)
Emit = Callable[[StreamEvent], None]
