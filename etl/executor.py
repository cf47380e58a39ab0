"""One item, one transaction, one outcome.

The statement runs in autocommit, so one round trip is the whole transaction. The next item
may be sent while the server still works on the one before: then it never waits for the client,
and a network between the two costs nothing. The server begins it only after that one's COMMIT.
This is libpq's pipeline mode with a Sync behind every statement; psycopg's cursor would wait
for each answer, and take 12 us of processor time where libpq's own calls take 2.

This is the only place where the failure of an item becomes a value; what is no item's failure
raises. What is done about a failure at once is decided here, by its SQLSTATE::

    40001, 40P01  serialization, deadlock      tried again at once, three times, then failed
    55P03         somebody holds a lock        busy
    57014         the statement timeout        deferred to the slow lane; there, failed
    _HOPELESS     as every item would fare     no outcome: the worker decides
    23505         of etl.done_message          done, and was so before: nothing was done now
    connection    lost with the item in hand   no outcome: the worker decides
    others        the item's own               failed

How long a failed item is then held is decided in SQL, by sql/engine/hold_items.sql.
"""

import select
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psycopg
from psycopg import pq
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus

from etl import db
from etl.errors import FileError
from etl.model import Claim, Outcome, Result
from etl.sqlfile import Statement

LOST = "08006"
"""SQLSTATE connection_failure, of an attempt whose connection was lost."""

_IMMEDIATE_RETRIES = 3
_RETRIED = ("40001", "40P01")
_BUSY = "55P03"
_CANCELLED = "57014"
# Broken SQL, a missing privilege, function, table or schema; a function that returns something
# else since the statement was prepared (0A000); a read-only server; a full disk, no memory;
# another server that this one asks; errors of the system and of the server itself.
# Most often the same for every item. But one item's path through a procedure, its damaged page
# or its size can meet them alone: see Worker.
_HOPELESS = ("08", "0A", "42", "53", "58", "XX", "25006", "3F000")
_COPIES = (ExecStatus.COPY_IN, ExecStatus.COPY_OUT, ExecStatus.COPY_BOTH)
_NO_COPY = (
    "copies rows from or to its client, which has none and reads none",
    "Read and write tables, or files of the server.",
)
_MESSAGE_LENGTH = 500
_DONE_BEFORE = ("23505", b"etl", b"done_message")


class InterruptedItem(Exception):
    """The running statement was cancelled because the cycle stops: no attempt.

    Args:
        claim: The item.
    """

    def __init__(self, claim: Claim) -> None:
        super().__init__(claim.item_key)
        self.claim = claim


class UnsettledItem(Exception):
    """It came to no outcome of its own; who has the whole picture decides.

    Args:
        claim: The item.
        result: The outcome, should it have none else.
    """

    def __init__(self, claim: Claim, result: Result) -> None:
        super().__init__(result.message)
        self.claim = claim
        self.result = result


class SlowItem(UnsettledItem):
    """The statement ran into the timeout, and may come again with a longer one."""


class DoubtfulItem(UnsettledItem):
    """It failed as every other item would, most likely."""


class LostItem(UnsettledItem):
    """The connection is gone; whether the item was committed is not known, and does not matter:
    it is done, or dirty."""


@dataclass(slots=True)
class _Sent:
    values: list[list[bytes | None]]
    begun: float = 0.0
    retries_left: int = _IMMEDIATE_RETRIES


class Executor:
    """Runs a job's statement for one item after the other, over one connection.

    Args:
        connection: In autocommit; used by nobody else while an item is in hand.
        statements: The job's process.sql; behind or before it, where the job's data have no dirty
            mark, the engine's statement that acknowledges the item. They are one transaction.
        parameters: Values that are the same for every item, such as as_of.
        unsure: The one of them that the server may not take; None: the first.

    Attributes:
        in_hand: The items sent and not settled, the running one first.
        is_prepared: Whether the server knows the statement: it has succeeded once.
        is_stopping: Whether a cancelled statement is nobody's failure.
        begun_at: When the running statement began, of ``time.monotonic()``; None between two.
    """

    def __init__(
        self,
        connection: db.Connection,
        statements: Sequence[Statement],
        parameters: Mapping[str, object],
        unsure: Statement | None = None,
    ) -> None:
        self._server = connection.pgconn
        self._socket = select.poll()
        self._socket.register(self._server.socket, select.POLLIN)
        self._statements = [(b"item%d" % n, one) for n, one in enumerate(statements)]
        # One that is refused must be so before others are prepared: a name is given but once.
        self._unsure_first = sorted(self._statements, key=lambda named: named[1] != unsure)
        self._parameters = dict(parameters)
        self.is_prepared = False
        self._sent: deque[_Sent] = deque()
        self.in_hand: deque[Claim] = deque()
        self.is_stopping = False
        self.begun_at: float | None = None

    def run(self, claim: Claim, timeout_s: float, *, may_defer: bool) -> Result:
        """``send`` and then ``receive``, of one item."""
        self.send(claim)
        return self.receive(timeout_s, may_defer=may_defer)[1]

    def send(self, claim: Claim) -> None:
        """Let the server process an item, after those in hand.

        A second one may be sent when ``is_prepared``.
        """
        given: dict[str, object] = {**claim.values, **self._parameters}
        if claim.body is not None:
            given["body"] = claim.body
        self._send(claim, _Sent([_encoded(one.bind(given)) for _, one in self._statements]))

    def _send(self, claim: Claim, sent: _Sent) -> None:
        if not self.in_hand:
            self.begun_at = time.monotonic()
        self.in_hand.append(claim)
        self._sent.append(sent)
        server = self._server
        with suppress(psycopg.OperationalError):  # the connection is lost: receive tells
            if len(self.in_hand) == 1:
                server.enter_pipeline_mode()
            if not self.is_prepared:
                for name, statement in self._unsure_first:
                    server.send_prepare(name, statement.text)
            # Up to the Sync they are one transaction; after a failure the others are passed over.
            for (name, _), values in zip(self._statements, sent.values, strict=True):
                server.send_query_prepared(name, values)
            server.pipeline_sync()
            while server.flush():
                # The server may be waiting in its turn, for somebody to read what it answers.
                if select.select([server.socket], [server.socket], [])[0]:
                    server.consume_input()

    def has_answer(self) -> bool:
        """Whether an item has come to its outcome already: ``receive`` would not wait."""
        return bool(self.in_hand) and not self._server.is_busy()

    def receive(self, timeout_s: float, *, may_defer: bool) -> tuple[Claim, Result]:
        """Wait until an item has come to an outcome; nearly always the first in hand.

        Args:
            timeout_s: The statement timeout in force, seconds.
            may_defer: Whether an item that runs into it gets a second try.

        Raises:
            InterruptedItem: It was cancelled while ``is_stopping`` was set.
            SlowItem: It ran into the timeout, and may be deferred.
            DoubtfulItem: It failed as every other item would, most likely.
            LostItem: The connection is gone. The other items in hand were not begun.
            FileError: The statement is a COPY that waits for this side.
        """
        while True:
            error = self._answer()
            began, now = self.begun_at or 0.0, time.monotonic()
            claim, sent = self.in_hand.popleft(), self._sent.popleft()
            sent.begun = sent.begun or began
            self.begun_at = now if self.in_hand else None
            duration_ms = (now - sent.begun) * 1000
            state, message = ("", "") if error is None else _told(error)
            if error is None or _was_done_before(error):
                return claim, Result(Outcome.DONE, duration_ms, state, message)
            if state == _CANCELLED and self.is_stopping:
                raise InterruptedItem(claim)
            if state not in _RETRIED or not sent.retries_left or duration_ms > timeout_s * 1000:
                break
            if self.is_stopping:
                raise InterruptedItem(claim)
            sent.retries_left -= 1
            self._send(claim, sent)
        result = Result(Outcome.FAILED, duration_ms, state, message)
        # The statement timeout and a cancellation by hand have the same SQLSTATE. The server
        # may have begun a moment before this side knew that the item before was done.
        if state == _CANCELLED and may_defer and now - began >= 0.9 * timeout_s:
            raise SlowItem(claim, result)
        if state.startswith(_HOPELESS):
            raise DoubtfulItem(claim, result)
        return claim, result._replace(outcome=Outcome.BUSY) if state == _BUSY else result

    def _answer(self) -> "pq.abc.PGresult | None":
        """Wait for the answer to the first statement in hand.

        Returns:
            The error that it ended with; None where it did not.

        Raises:
            LostItem: None came.
            FileError: The statement is a COPY that waits for this side, for ever.
        """
        error: pq.abc.PGresult | None = None
        server = self._server
        was_end = False
        taken = 0
        try:
            while (answer := self._next()) is None or answer.status != ExecStatus.PIPELINE_SYNC:
                if answer is not None and answer.status in _COPIES:
                    _, statement = self._statements[0]
                    raise FileError(statement.path, statement.line, *_NO_COPY)
                if answer is not None and answer.status == ExecStatus.FATAL_ERROR:
                    error = error or answer
                elif answer is not None and error is None:
                    taken += 1  # of those statements that are not prepared yet, first of all
                    self.is_prepared = self.is_prepared or taken == len(self._statements)
                # None ends the answers to one message. Twice: there is none to wait for, because
                # libpq could not send it.
                if server.status == ConnStatus.BAD or (was_end and answer is None):
                    raise self._loss(error)
                was_end = answer is None
            if len(self.in_hand) == 1:
                server.exit_pipeline_mode()
        except psycopg.OperationalError:
            raise self._loss(error) from None
        return error

    def _next(self) -> "pq.abc.PGresult | None":
        while self._server.is_busy():
            self._socket.poll()
            self._server.consume_input()
        return self._server.get_result()

    def _loss(self, error: "pq.abc.PGresult | None") -> LostItem:
        self.begun_at = None
        state, message = _told(error) if error is not None else ("", "")
        if not message:
            message = _line(self._server.error_message)
        return LostItem(self.in_hand[0], Result(Outcome.FAILED, 0.0, state or LOST, message))


def _encoded(values: Sequence[object]) -> list[bytes | None]:
    return [
        value if value is None or isinstance(value, bytes) else str(value).encode()
        for value in values
    ]


def _was_done_before(error: "pq.abc.PGresult") -> bool:
    """Whether the ledger has the message already: exactly its key was broken."""
    state, schema, table = _DONE_BEFORE
    fields = (DiagnosticField.SCHEMA_NAME, DiagnosticField.TABLE_NAME)
    return _told(error)[0] == state and [error.error_field(f) for f in fields] == [schema, table]


def _told(error: "pq.abc.PGresult") -> tuple[str, str]:
    """SQLSTATE and message of an error, as far as it has them."""
    state = error.error_field(DiagnosticField.SQLSTATE) or b""
    said = error.error_field(DiagnosticField.MESSAGE_PRIMARY) or error.error_message
    return state.decode(), _line(said)


def _line(said: bytes) -> str:
    return said.decode(errors="replace").strip().partition("\n")[0][:_MESSAGE_LENGTH]
