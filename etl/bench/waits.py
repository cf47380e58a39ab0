"""Which resource is the limit, from what the backends were seen at.

A backend that PostgreSQL shows without a wait event runs, or waits for a processor: which of
the two, the use of this host's processors tells, where the server runs here.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

_FEWEST = 10  # backends seen; fewer tell nothing
_BUSY_HOST = 0.8
_BUSY_CLIENT = 0.5
_GOOD_SPEED_UP = 0.75


class At(StrEnum):
    """What a backend is at."""

    RUNNING = "running"
    DISK = "disk"
    WAL = "wal"
    LOCKS = "locks"
    CLIENT = "client"
    OTHER = "other"


class Resource(StrEnum):
    """What limits the speed."""

    PROCESSORS = "processors of this host"
    SERVER = "processors of the server"
    WORKERS = "number of workers"
    DISK = "disk"
    WAL = "write-ahead log"
    LOCKS = "locks"
    CLIENT = "worker processes"
    NETWORK = "network"
    OTHER = "other"
    UNKNOWN = "unknown"


_ADVICE = {
    Resource.PROCESSORS: "All processors here are busy: more workers gain nothing, a cheaper "
    "statement or more processors do.",
    Resource.SERVER: "The backends compute, and each one more brings less: a cheaper statement or "
    "more processors there help, more workers do not.",
    Resource.WORKERS: "The backends compute, and processors are free: more workers help.",
    Resource.DISK: "The backends wait for reads and writes: more workers than processors help "
    "while the disk takes more at once; more memory or a covering index spares reads.",
    Resource.WAL: "The backends wait for the write-ahead log: a faster disk for it helps, larger "
    "wal_buffers, or fewer rows and indexes written an item.",
    Resource.LOCKS: "The backends wait for each other: more workers make it worse; find the row "
    "or table that the statements of different items share.",
    Resource.CLIENT: "The backends wait for the computing of the worker processes: more workers "
    "help while this host has processors free.",
    Resource.NETWORK: "The backends wait for statements on their way: run etl nearer to the "
    "server, or with more workers, which wait side by side.",
    Resource.OTHER: "The backends wait for something of the statement's own.",
    Resource.UNKNOWN: "It was over too soon to tell: give more --items.",
}
_BY_WAIT = {At.DISK: Resource.DISK, At.WAL: Resource.WAL, At.LOCKS: Resource.LOCKS,
            At.OTHER: Resource.OTHER}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Seen:
    """A row of pg_stat_activity."""

    state: str | None
    wait_event_type: str | None
    wait_event: str | None

    @property
    def at(self) -> At:
        """What this backend is at."""
        kind, event = self.wait_event_type, self.wait_event or ""
        if self.state != "active" or kind == "Client":
            return At.CLIENT
        if kind is None:
            return At.RUNNING
        if kind in ("IO", "LWLock") and event.startswith("WAL"):
            return At.WAL
        if kind == "IO" or event == "BufferIO":  # of another backend that reads the same page
            return At.DISK
        return At.LOCKS if kind in ("Lock", "LWLock", "BufferPin", "Buffer") else At.OTHER

    @property
    def event(self) -> str:
        """The wait in PostgreSQL's words; empty where there is none."""
        return f"{self.wait_event_type} {self.wait_event}" if self.wait_event_type else ""


@dataclass(frozen=True, slots=True)
class Load:
    """How busy everything was while workers were at work.

    Attributes:
        seen: What the backends were at, and how often.
        workers: How many of them.
        speed_up: Against one worker.
        client_busy: Share of the time that a worker process used a processor, 0 to 1.
        host_busy: Share of all processors of this host that were in use; None: unknown.
        is_local: Whether the server runs on this host.
    """

    seen: Mapping[Seen, int]
    workers: int
    speed_up: float
    client_busy: float
    host_busy: float | None
    is_local: bool

    @property
    def shares(self) -> dict[At, float]:
        """The share of each thing that the backends were at, 0 to 1, largest first."""
        times = Counter[At]()
        for seen, number in self.seen.items():
            times[seen.at] += number
        return {at: number / times.total() for at, number in times.most_common()}

    def event(self, at: At) -> str:
        """The commonest wait of this kind."""
        waits = {seen: number for seen, number in self.seen.items() if seen.at is at}
        return max(waits, key=lambda seen: waits[seen]).event if waits else ""


@dataclass(frozen=True, slots=True)
class Limit:
    """What limits the speed.

    Attributes:
        resource: The resource.
        event: The commonest wait for it, in PostgreSQL's words; may be empty.
        advice: What to do about it, one sentence.
    """

    resource: Resource
    event: str
    advice: str


def limit_of(load: Load) -> Limit:
    """What limits the speed under this load."""
    resource, event = Resource.UNKNOWN, ""
    if sum(load.seen.values()) >= _FEWEST:
        at = next(iter(load.shares))
        resource = _BY_WAIT.get(at) or _unwaited(at, load)
        event = load.event(at) if at in _BY_WAIT else ""
    return Limit(resource, event, _ADVICE[resource])


def _unwaited(at: At, load: Load) -> Resource:
    """The backends compute, or wait to be asked."""
    if load.is_local and load.host_busy is not None and load.host_busy >= _BUSY_HOST:
        return Resource.PROCESSORS
    if at is At.CLIENT:
        return Resource.CLIENT if load.client_busy >= _BUSY_CLIENT else Resource.NETWORK
    is_scaling = load.workers == 1 or load.speed_up >= _GOOD_SPEED_UP * load.workers
    return Resource.WORKERS if is_scaling else Resource.SERVER
