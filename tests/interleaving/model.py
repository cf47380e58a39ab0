"""How an order has to end: the protocol played with a version number instead of a row.

It is told what the sessions did in the order in which they got through, and says which
workers end with which SQLSTATE and whether the user's mark is set at the end.
"""

from dataclasses import dataclass, field


@dataclass
class ModelWorker:
    """What a worker has seen and done; ``reads_once``: all of it in one snapshot."""

    reads_once: bool = False
    sqlstate: str = ""
    has_claimed: bool = False
    version_seen: int = -1
    was_dirty: bool = False
    clears: bool = False


@dataclass
class Model:
    """The user's row, its lock and the per-user claim."""

    is_dirty: bool
    version: int = 0
    holders: set[int] = field(default_factory=set[int])
    workers: dict[int, ModelWorker] = field(default_factory=dict[int, ModelWorker])

    def claim(self, actor: int) -> None:
        """One refresh of a user at a time."""
        worker = self.workers[actor]
        worker.version_seen, worker.was_dirty = self.version, self.is_dirty
        if any(other.has_claimed for other in self.workers.values()):
            worker.sqlstate = "55P03"
        else:
            worker.has_claimed = True

    def read_version(self, actor: int) -> None:
        """The version and the mark as they are before any fact is read."""
        worker = self.workers[actor]
        if not worker.reads_once:
            worker.version_seen, worker.was_dirty = self.version, self.is_dirty

    def lock(self, actor: int) -> None:
        """The row is had at once or not at all."""
        worker = self.workers[actor]
        if worker.sqlstate or not worker.was_dirty:
            return
        if worker.reads_once and worker.version_seen != self.version:
            worker.sqlstate = "40001"
        elif self.holders:
            worker.sqlstate = "55P03"
        else:
            self.holders.add(actor)
            return
        worker.has_claimed = False

    def clear(self, actor: int) -> None:
        """The mark goes where the row is the one that was seen."""
        worker = self.workers[actor]
        held = actor in self.holders
        worker.clears = held and worker.version_seen == self.version

    def commit_worker(self, actor: int) -> None:
        """All of it becomes visible, or nothing."""
        worker = self.workers[actor]
        if worker.clears:
            self.is_dirty, self.version = False, self.version + 1
        elif actor in self.holders:
            self.version += 1
        self.holders.discard(actor)
        worker.has_claimed = False

    def commit_loader(self, actor: int, changes: bool) -> None:
        """A change leaves the user dirty."""
        if changes:
            self.is_dirty, self.version = True, self.version + 1
        self.holders.discard(actor)
