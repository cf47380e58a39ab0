"""The queue in the database, as a cycle and its supervisors use it: ``etl.queue_item``.

The order of a cycle is frozen in a table; workers on any host claim its rows: see rowlocks.py.
An item is inserted once and deleted by its acknowledgement, together with which what became of it
is written to ``etl.queue_outcome``. The cycle moves that into the ledger a few times a second. So
the tables tell the truth at any moment, also after a crash, and whichever host runs the next cycle
can close the record.

Which item a dead worker had only the claim journal of its host tells, ``journal.tsv`` in the state
folder. Its supervisor ends the server session of the worker, takes the item's row, if nobody else
has it by then, and acknowledges it as orphaned. Where the supervisor died with it, the next cycle
on that host does, or the next crew. The items of a host that never comes back cost no attempt.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from etl import db
from etl.folders import private_folder
from etl.model import WEIGHT, Claim, Outcome, Result
from etl.queue.journal import CLAIMED, OUTCOMES, RELEASED, Entry, Journal, escape
from etl.queue.protocol import Watched
from etl.queue.rowlocks import array
from etl.sqlfile import shipped

Perform = Callable[[Callable[[db.Connection], object]], bool]
_OWN = (CLAIMED, RELEASED)


class TableQueue(Watched):
    """The queue of one cycle, for the supervisor of one host.

    Args:
        folder: Its private folder on this host; made where it is missing.
        cycle_id: The cycle.
        perform: Does something with the supervisor's connection; false: that is lost for now.
        takes_outcomes: Whether this is the supervisor that keeps the ledger; the others know only
            of their own workers.
    """

    def __init__(
        self, folder: Path, cycle_id: int, perform: Perform, *, takes_outcomes: bool
    ) -> None:
        self.folder = private_folder(folder)
        self.cycle_id = cycle_id
        self.names: list[str] = []
        self._path = folder / "journal.tsv"
        self._journal = Journal(self._path)
        self._perform = perform
        self._takes_outcomes = takes_outcomes
        self._has_told = False
        self._settled: list[Entry] = []
        self._given: Mapping[str, object] = {}
        self._connect: Callable[[], db.Connection]  # from ``to_be_built`` on

    def begin_journal(self) -> None:
        """Make the claim journal of this host."""
        self._journal.begin()

    def to_be_built(
        self, connect: Callable[[], db.Connection], given: Mapping[str, object]
    ) -> None:
        """Say how ``build`` is to do it.

        Args:
            connect: Makes a connection: that of the cycle is busy listing the items.
            given: The variables of sql/engine/queue/open.sql that only the cycle knows.
        """
        self._connect, self._given = connect, given

    def build(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
        self.names = list(columns)
        self.begin_journal()
        key, level = columns.index("item_key"), columns.index("level")
        count = 0

        def lines() -> Iterator[str]:
            nonlocal count
            for count, row in enumerate(rows, 1):
                fields = (str(row[key]), str(row[level]), array(row))
                told = "\t".join([escape(field) for field in fields])
                yield f"{self.cycle_id}\t{count}\t{told}\n"

        with closing(self._connect()) as connection, connection.transaction():
            given = {"cycle_id": self.cycle_id, "names": array(columns), **self._given}
            db.run(connection, shipped("queue/open"), **given)
            db.copy_in(connection, shipped("queue/fill"), lines())
        return count

    def acknowledge(self, worker: int, claim: Claim, result: Result) -> None:
        """Record what became of a claim that nobody works on any more.

        Where the item is not there, it was committed; where somebody else has it, it is theirs.
        """
        self._perform(lambda to: self.settle_one(to, worker, claim, result))

    def settle_one(
        self, connection: db.Connection, worker: int, claim: Claim, result: Result
    ) -> None:
        """As ``acknowledge``, on a certain connection."""
        given: dict[str, object] = {
            "cycle_id": self.cycle_id,
            "item_key": claim.item_key,
            "worker": worker,
            "sqlstate": result.sqlstate,
            "message": result.message,
        }
        if result.outcome is not Outcome.ORPHANED:
            db.run(connection, shipped("queue/fail_deferred"), **given)
            return
        (is_there,) = db.one(
            connection, shipped("queue/acknowledge"), **given,
            position=claim.position, held_key=claim.item_key, outcome=result.outcome.value,
            weight=claim.values.get(WEIGHT) or None, rest_key=None, rest=None,
        )  # fmt: skip
        if is_there and not self._takes_outcomes:  # else it comes with the others
            self._settled.append(Entry(time.time(), result.outcome.value, worker, claim, result))

    def release(self, worker: int, claim: Claim) -> None:
        """Nothing: the claim of a dead worker ends with its transaction."""

    def depth(self) -> int:
        """How many items nobody has claimed; 1, that is some, while the connection is lost."""
        found: list[int] = []
        self._perform(
            lambda to: found.extend(db.one(to, shipped("queue/depth"), cycle_id=self.cycle_id))
        )
        return found[0] if found else 1

    def entries(self) -> list[Entry]:
        """What has happened since the last call.

        After some there is nothing, once, at no cost: else who asks until there is nothing might
        never be done.

        Outcomes are read before the journal: what has one was claimed before, and is told so.
        """
        if not self._takes_outcomes:
            settled, self._settled = self._settled, []
            return settled + self._journal.entries()
        if self._has_told:
            self._has_told = False
            return []
        taken: list[Entry] = []
        self._perform(lambda to: taken.extend(self._take_unless_locked(to)))
        told: list[Entry] = []
        while more := self._journal.entries():
            told += [entry for entry in more if entry.event in _OWN]
        self._has_told = bool(told or taken)
        return told + taken

    def _take_unless_locked(self, connection: db.Connection) -> list[Entry]:
        """Take what is there; nothing where somebody has the ledger locked: it comes later.

        What is taken is counted: it must not be undone by a crash of the server, nor must what
        was committed before, that is the items.
        """
        return db.unless_locked(connection, shipped("queue/take_outcomes"), self._take) or []

    def _take(self, connection: db.Connection) -> list[Entry]:
        return [
            _entry(row)
            for row in db.run(connection, shipped("queue/take_outcomes"), cycle_id=self.cycle_id)
        ]

    def history(self) -> Iterator[Entry]:
        """What this host's workers have told, in order."""
        with closing(Journal(self._path)) as journal:
            while entries := journal.entries():
                yield from entries

    def conclude(self, connection: db.Connection) -> None:
        """Move everything into the ledger, and remove the queue; its workers are gone.

        Args:
            connection: In the transaction that closes the record.
        """
        db.run(connection, shipped("queue/end"), cycle_id=self.cycle_id)
        db.run(connection, shipped("queue/settle"), cycle_id=self.cycle_id)
        self._take(connection)

    def close(self) -> None:
        self._journal.close()


def told_as_json(values: Mapping[str, object]) -> str:
    """Values as the JSON that etl.queue keeps."""
    return json.dumps(dict(values))


def _entry(row: db.Row) -> Entry:
    at, event, worker, position, key, level, duration_ms, sqlstate, message, weight = row
    values: dict[str, str | None] = {} if weight is None else {WEIGHT: repr(float(weight))}
    result = Result(OUTCOMES[event], duration_ms, sqlstate, message)
    return Entry(at, event, worker, Claim(position, key, level, values), result)
