"""The queue in the database, as a worker uses it: a claim is a row lock of the item's transaction.

The statements of one item, all on the worker's own connection::

    BEGIN, claim (FOR UPDATE SKIP LOCKED), SAVEPOINT, process.sql, acknowledge, COMMIT

From SAVEPOINT on they are one round trip, with BEGIN and the claim of the next item behind them.
Where process.sql fails, only that is undone; the lock stays until the failure is told, so nobody
else has the item in between. Where a worker dies, its host goes, or its connection is cut, the
transaction ends, and with it the claim: there is nothing to find out, and no clock to compare.

What a lock cannot tell is whose item a dead worker had. So each claim, and what became of it, is
a line in a claim journal of the worker's own host: see table.py.
"""

import fcntl
import json
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from psycopg import Cursor
from psycopg.errors import InFailedSqlTransaction, QueryCanceled, error_from_result
from psycopg.pq import ExecStatus

from etl import db
from etl.errors import FileError
from etl.keyrange import whole
from etl.model import WEIGHT, Claim, Outcome, Result
from etl.queue.frame import Call
from etl.queue.journal import CLAIMED, DEFERRED, RELEASED, Journal, line
from etl.queue.protocol import Claims
from etl.sqlfile import Statement, shipped
from etl.trust import open_private

_ANSWER_S = 20.0
_TRIES = 5  # a cancellation that was meant for the statement before may meet this one
_CANCELLED = (QueryCanceled, InFailedSqlTransaction)  # this one, or what was to undo the one before
_STEPS = ("begin", "claim", "savepoint", "acknowledge", "commit")
_Values = Mapping[str, object]


class RowQueue(Claims):
    """The queue of one cycle, for one worker; it has one item in hand.

    Args:
        folder: Where the claim journal of this host is.
        cycle_id: The cycle.
        names: The columns of the prioritization.
        worker: Number of the worker.
        limits_s: Nothing is heard of a host for so long, then its items are free; and what the
            transaction of an item takes at most; seconds.

    Attributes:
        has_few_left: Always: nobody may have a second item in hand.
        ends_with_connection: Always.
        others_have_some: Whether, when nothing was left to claim, others still had items in hand.
    """

    has_few_left = ends_with_connection = True
    undo = shipped("queue/undo")

    def __init__(
        self,
        folder: Path,
        cycle_id: int,
        names: Sequence[str],
        worker: int,
        limits_s: tuple[float, float],
    ) -> None:
        self._cycle_id, self._names, self._worker = cycle_id, list(names), worker
        self._silence_s, self._longest_s = limits_s
        path = folder / "journal.tsv"
        self._journal = Journal(path)
        self._lock = open_private(path, os.O_RDONLY)
        self._connection: db.Connection  # from ``attach`` on
        self._is_attached = False
        self.others_have_some = False
        self._floor = 0
        self._is_begun = False
        self._ahead: Claim | None = None
        self._acknowledged: int | None = None
        self._held_key = ""  # as it was claimed: a part of a range has a key of its own

    def attach(self, connection: db.Connection) -> None:
        """Claim on this connection from now on; what was claimed on another one is not held.

        Raises:
            DatabaseUnreachableError: It is lost.
        """
        self._connection, self._is_attached = connection, True
        self._floor, self._is_begun, self._ahead, self._acknowledged = 0, False, None, None
        limits = {"silence_s": self._silence_s, "longest_s": self._longest_s}
        with db.uncancelled(connection):
            self._run(shipped("queue/set_session"), limits)
            for step in _STEPS:
                statement = shipped(f"queue/{step}")
                with db.answered_within(connection, _ANSWER_S), db.explained(connection, statement):
                    answer = connection.pgconn.prepare(_name(step), statement.text)
                    if answer.status != ExecStatus.COMMAND_OK:
                        raise error_from_result(answer)

    # The frame around process.sql; see executor.py.

    def before(self) -> list[Call]:
        """What is sent before an item's statements."""
        return [(_name("savepoint"), [])]

    def behind(self, claim: Claim) -> list[Call]:
        """What is sent behind them, and makes them final."""
        acknowledged = self._acknowledgement(claim, Result(Outcome.DONE))
        return [_call("acknowledge", acknowledged), (_name("commit"), [])]

    def beyond(self, claim: Claim) -> list[Call]:
        """What is sent with them, and belongs to the next item."""
        floor = claim.position - (claim.rest is not None)
        values = {"cycle_id": self._cycle_id, "floor": floor}
        return [(_name("begin"), []), _call("claim", values)]

    def heed(self, claim: Claim, row: Sequence[bytes | None] | None) -> None:
        """An item is committed.

        Args:
            claim: The item.
            row: The next one; None: there is none behind it.
        """
        self._acknowledged, self._is_begun = claim.position, True
        self._floor = claim.position - (claim.rest is not None)
        self._ahead = None if row is None else self._claim([(f or b"").decode() for f in row])

    # The queue.

    def exchange(
        self, worker: int, settled: Sequence[tuple[Claim, Result]], most: int = 1
    ) -> list[Claim]:
        """As the protocol says, but never claim more than one."""
        with db.uncancelled(self._connection):
            for claim, result in settled:
                self._acknowledge(worker, claim, result)
            if not most and not any(claim.rest for claim, _ in settled):
                self._roll_back()
                return []
            claimed = self._next(worker)
        return [] if claimed is None else [claimed]

    def release(self, worker: int, claim: Claim) -> None:
        """As the protocol says.

        Where the claim has ended with its connection the item is free, and stays where it is.
        """
        if self._is_begun and not self._connection.closed:
            self._give_back(whole(claim), {"is_slow": None, "sqlstate": None, "message": None})
        self._tell(line(RELEASED, worker, claim))

    def defer(self, worker: int, claim: Claim, result: Result, *, is_slow: bool) -> None:
        failed = {"sqlstate": result.sqlstate, "message": result.message}
        is_there = self._give_back(whole(claim), {"is_slow": is_slow, **failed})
        told = line(DEFERRED, worker, claim, result) if is_there else line(RELEASED, worker, claim)
        self._tell(told)

    def take_back(self, worker: int, positions: Collection[int]) -> None:
        """Nothing: a crash of the server that undid a COMMIT undid the acknowledgement in it."""

    def depth(self) -> int:
        """How many items nobody has claimed; 1, that is some, while there is no connection."""
        if not self._is_attached or self._connection.closed:
            return 1
        return int(self._one(shipped("queue/depth"), {})[0])

    def close(self) -> None:
        """Let go of it."""
        self._roll_back()
        self._journal.close()
        os.close(self._lock)

    def _next(self, worker: int) -> Claim | None:
        claim = self._ahead
        if claim is None:
            self._roll_back()  # what was sent ahead: it may not have got as far as its claim
            self._run(shipped("queue/begin"), {})
            self._is_begun = True
            # Who stands before the floor was another worker's, that is gone.
            claim = self._find(self._floor) or (self._find(0) if self._floor else None)
        self._ahead = None
        if claim is None:
            self._roll_back()
            self.others_have_some = bool(self._one(shipped("queue/has_items"), {})[0])
            self._floor = 0
            return None
        self._floor, self._held_key = claim.position, claim.item_key
        self._tell(line(CLAIMED, worker, claim), is_claim=True)
        return claim

    def _find(self, floor: int) -> Claim | None:
        row = self._run(shipped("queue/claim"), {"floor": floor}).fetchone()
        return None if row is None else self._claim(row)

    def _claim(self, row: Sequence[str]) -> Claim:
        position, key, level, fields, is_slow = row
        given: list[str | None] = json.loads(fields)
        values = dict(zip(self._names, given, strict=True))
        return Claim(int(position), key, int(level), values, is_slow == "true")

    def _acknowledge(self, worker: int, claim: Claim, result: Result) -> None:
        is_there = self._acknowledged == claim.position
        if not is_there:
            values = self._acknowledgement(claim, result)
            is_there = self._settle(shipped("queue/acknowledge"), values)
            self._floor = claim.position - (claim.rest is not None)
        self._acknowledged = None
        told = line(result.outcome.value, worker, claim, result)
        self._tell(told if is_there else line(RELEASED, worker, claim))

    def _acknowledgement(self, claim: Claim, result: Result) -> _Values:
        rest = claim.rest
        return {
            "cycle_id": self._cycle_id,
            "position": claim.position,
            "held_key": self._held_key,
            "worker": self._worker,
            "outcome": result.outcome.value,
            "sqlstate": result.sqlstate,
            "message": result.message,
            "item_key": claim.item_key,
            "weight": claim.values.get(WEIGHT) or None,
            "rest_key": None if rest is None else rest.item_key,
            "rest": None if rest is None else array([rest.values[n] for n in self._names]),
        }

    def _give_back(self, claim: Claim, values: _Values) -> bool:
        item = {"position": claim.position, "held_key": self._held_key}
        given = {**item, "worker": self._worker, **values}
        return self._settle(shipped("queue/give_back"), given)

    def _settle(self, statement: Statement, values: _Values) -> bool:
        """Run it in the item's transaction, and end that. Returns whether the item was held, or
        free: where the transaction is gone, somebody else may have it."""
        is_there = False
        for again in range(_TRIES):
            try:
                (is_there,) = self._one(statement, values)
                if self._is_begun:
                    self._run(shipped("queue/commit"), {})
                    self._is_begun = False
            except FileError as error:
                self._roll_back()
                if not isinstance(error.__cause__, _CANCELLED) or again == _TRIES - 1:
                    raise
            else:
                break
        return is_there

    def _roll_back(self) -> None:
        if self._is_begun and not self._connection.closed:
            self._run(shipped("queue/roll_back"), {})
        self._is_begun, self._ahead = False, None

    def _one(self, statement: Statement, values: _Values) -> db.Row:
        with db.answered_within(self._connection, _ANSWER_S):
            return db.one(self._connection, statement, **{"cycle_id": self._cycle_id, **values})

    def _run(self, statement: Statement, values: _Values) -> Cursor[db.Row]:
        with db.answered_within(self._connection, _ANSWER_S):
            return db.run(self._connection, statement, **{"cycle_id": self._cycle_id, **values})

    def _tell(self, told: bytes, *, is_claim: bool = False) -> None:
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            self._journal.append(told, is_claim=is_claim)
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)


def array(values: Sequence[object]) -> str:
    """Texts as PostgreSQL writes an array of them."""
    return "{" + ",".join([_element(value) for value in values]) + "}"


def _element(value: object) -> str:
    if value is None:
        return "NULL"
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _name(step: str) -> bytes:
    return b"queue_" + step.encode()


def _call(step: str, values: _Values) -> Call:
    bound = shipped(f"queue/{step}").bind(values)
    return _name(step), [None if value is None else str(value).encode() for value in bound]
