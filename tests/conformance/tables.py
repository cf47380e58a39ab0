"""The queue in the database, as the conformance tests use a queue: from anywhere, by anybody.

A claim is a row lock of a connection's open transaction. So each claim here has a connection of
its own, as each worker has; what the tests do with somebody else's claim is what a supervisor does
with that of a dead worker: its session has ended first.
"""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from etl import db
from etl.model import Claim, Result
from etl.queue import Entry, RowQueue, TableQueue
from etl.queue.table import told_as_json

DSN = "ETL_TEST_QUEUE_DSN"
"""The environment variable that says which database has the tables."""
LIMITS_S = (60.0, 600.0)


@dataclass
class Holder:
    """What claims over one connection, for a worker."""

    worker: int
    queue: RowQueue


_HOLDERS: dict[tuple[str, int], Holder] = {}
"""Who holds what in this process: by folder of the queue and position of the item."""


_OPENED: list[db.Connection] = []


def end_all() -> None:
    """End every session of this process, and with it whatever it holds."""
    _HOLDERS.clear()
    while _OPENED:
        _OPENED.pop().close()


class SharedQueue:
    """One user of such a queue.

    Args:
        address: Its folder; the last part of the name is the number of the cycle.
    """

    has_few_left = True
    others_have_some = False
    ends_with_connection = True

    def __init__(self, address: str) -> None:
        self._folder = Path(address)
        self._cycle_id = int(self._folder.name.rpartition("-")[2])
        self._connection = self._connect()
        self._watched = TableQueue(
            self._folder, self._cycle_id, self._perform, takes_outcomes=False
        )
        self._idle: dict[int, list[Holder]] = {}
        self._names: list[str] = []

    def _connect(self) -> db.Connection:
        connection = db.connect(db.Target.parse(os.environ[DSN]), "tests")
        _OPENED.append(connection)
        return connection

    def _perform(self, action: Callable[[db.Connection], object]) -> bool:
        action(self._connection)
        return True

    def build(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
        given = {"job": "conformance", "parameters": "{}", "files": told_as_json({})}
        self._watched.to_be_built(self._connect, {**given, "batch_size": None})
        return self._watched.build(columns, rows)

    def _holder(self, worker: int) -> Holder:
        """A connection that has nothing in hand."""
        idle = self._idle.setdefault(worker, [])
        if idle:
            return idle.pop()
        if not self._names:
            found = self._connection.execute(
                "SELECT names FROM etl.queue WHERE cycle_id = $1", [self._cycle_id]
            ).fetchone()
            self._names = found[0] if found else []
        queue = RowQueue(self._folder, self._cycle_id, self._names, worker, LIMITS_S)
        queue.attach(self._connect())
        return Holder(worker, queue)

    def _take_holder(self, claim: Claim) -> Holder:
        return _HOLDERS.pop((str(self._folder), claim.position))

    def claim(self, worker: int) -> Claim | None:
        holder = self._holder(worker)
        claim = holder.queue.claim(worker)
        if claim is None:
            self._idle[worker].append(holder)
        else:
            _HOLDERS[str(self._folder), claim.position] = holder
        return claim

    def exchange(
        self, worker: int, settled: Sequence[tuple[Claim, Result]], most: int = 1
    ) -> list[Claim]:
        """Acknowledge these and claim so many, each over a connection of its own."""
        for claim, result in settled:
            self.acknowledge(worker, claim, result)
        claims = [self.claim(worker) for _ in range(most)]
        return [claim for claim in claims if claim is not None]

    def acknowledge(self, worker: int, claim: Claim, result: Result) -> list[Claim]:
        holder = self._take_holder(claim)
        rest = holder.queue.acknowledge(worker, claim, result)
        self._idle.setdefault(holder.worker, []).append(holder)
        return rest

    def release(self, worker: int, claim: Claim) -> None:
        holder = self._take_holder(claim)
        holder.queue.release(worker, claim)
        self._idle.setdefault(holder.worker, []).append(holder)

    def defer(self, worker: int, claim: Claim, result: Result, *, is_slow: bool) -> None:
        holder = self._take_holder(claim)
        holder.queue.defer(worker, claim, result, is_slow=is_slow)
        self._idle.setdefault(holder.worker, []).append(holder)

    def take_back(self, worker: int, positions: Collection[int]) -> None:
        """Nothing is taken back here: what the server undoes, it undoes with its outcome."""

    def depth(self) -> int:
        return self._watched.depth()

    def entries(self) -> list[Entry]:
        return self._watched.entries()

    def history(self) -> Iterator[Entry]:
        return self._watched.history()

    def close(self) -> None:
        self._watched.close()
