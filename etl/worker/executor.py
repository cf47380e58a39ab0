"""One item, one transaction, one outcome.

The statement runs in autocommit, so one round trip is the whole transaction. The next item
may be sent while the server still works on the one before: then it never waits for the client,
and a network between the two costs nothing. The server begins it only after that one's COMMIT.
This is libpq's pipeline mode with a Sync behind every statement; psycopg's cursor would wait
for each answer, and take 12 us of processor time where libpq's own calls take 2.

Where the queue is in the database, it has a frame of its own statements around the item's, in one
transaction with them and in the same round trip: see etl/queue/rowlocks.py.

This is the only place where the failure of an item becomes a value; what is no item's failure
raises. What is done about a failure at once is decided here, by its SQLSTATE::

    40001, 40P01  serialization, deadlock      tried again at once, three times, then failed
    55P03         somebody holds a lock        busy
    57014         the statement timeout        deferred to the slow lane; there, failed
    HOPELESS      as every item would fare     no outcome: the worker decides
    23505         of etl.done_message          done, and was so before: nothing was done now
    connection    lost with the item in hand   no outcome: the worker decides
    others        the item's own               failed

How long a failed item is then held is decided in SQL, by sql/engine/held/hold_items.sql.
"""

import select
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psycopg
from psycopg import pq
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus

from etl import db
from etl.errors import EtlError, FileError
from etl.model import Claim, Outcome, Result
from etl.queue import Frame
from etl.queue.frame import Call
from etl.sqlfile import Statement
from etl.worker.answer import first_row, line, told, was_done_before
from etl.worker.unsettled import DoubtfulItem, InterruptedItem, LostItem, SlowItem

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
HOPELESS = ("08", "0A", "42", "53", "58", "XX", "25006", "3F000")
"""How the SQLSTATE begins of what meets every item alike, most likely."""

ENDS_TRANSACTIONS = ("2D000", "25001")
"""A COMMIT or ROLLBACK inside; a command such as VACUUM: what cannot be taken back."""

_COPIES = (ExecStatus.COPY_IN, ExecStatus.COPY_OUT, ExecStatus.COPY_BOTH)
_NO_COPY = (
    "copies rows from or to its client, which has none and reads none",
    "Read and write tables, or files of the server.",
)


@dataclass(slots=True)
class _Sent:
    values: list[list[bytes | None]]
    before: list[Call]
    behind: list[Call]
    beyond: list[Call]
    begun: float = 0.0
    retries_left: int = _IMMEDIATE_RETRIES


class Executor:
    """Runs a job's statement for one item after the other, over one connection.

    Args:
        connection: In autocommit; used by nobody else while an item is in hand.
        statements: The job's process.sql; behind or before it, where the job's data have no dirty
            mark, the engine's statement that acknowledges the item. They are one transaction.
        parameters: Values that are the same for every item, such as as_of.
        frame: What the queue has run around them; None: nothing.

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
        frame: Frame | None = None,
    ) -> None:
        self._connection, self._frame = connection, frame
        self._server = connection.pgconn
        self._socket = select.poll()
        self._socket.register(self._server.socket, select.POLLIN)
        self._statements = [(b"item%d" % n, one) for n, one in enumerate(statements)]
        self._parameters = dict(parameters)
        self._prepared = 0  # of the statements, the first ones
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
        values = [_encoded(one.bind(given)) for _, one in self._statements]
        frame = self._frame
        if frame is None:
            self._send(claim, _Sent(values, [], [], []))
        else:
            around = (frame.before(), frame.behind(claim), frame.beyond(claim))
            self._send(claim, _Sent(values, *around))

    def _send(self, claim: Claim, sent: _Sent) -> None:
        if not self.in_hand:
            self.begun_at = time.monotonic()
        self.in_hand.append(claim)
        self._sent.append(sent)
        server = self._server
        with suppress(psycopg.OperationalError):  # the connection is lost: receive tells
            if len(self.in_hand) == 1:
                server.enter_pipeline_mode()
            self._send_statements(sent)
            server.pipeline_sync()
            while server.flush():
                # The server may be waiting in its turn, for somebody to read what it answers.
                if select.select([server.socket], [server.socket], [])[0]:
                    server.consume_input()

    @property
    def is_prepared(self) -> bool:
        """Whether the server knows all statements."""
        return self._prepared == len(self._statements)

    def _send_statements(self, sent: _Sent) -> None:
        """Up to the Sync they are one transaction; after a failure the others are passed over."""
        server = self._server
        for call in sent.before:
            server.send_query_prepared(*call)
        for name, statement in self._statements[self._prepared :]:
            server.send_prepare(name, statement.text)
        for (name, _), values in zip(self._statements, sent.values, strict=True):
            server.send_query_prepared(name, values)
        for call in (*sent.behind, *sent.beyond):
            server.send_query_prepared(*call)

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
            self._undo(error)  # while somebody still watches whether the server answers
            claim, sent = self.in_hand.popleft(), self._sent.popleft()
            sent.begun = sent.begun or began
            self.begun_at = now if self.in_hand else None
            duration_ms = (now - sent.begun) * 1000
            state, message = ("", "") if error is None else told(error)
            if error is None or was_done_before(error):
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
        if state.startswith(HOPELESS):
            raise DoubtfulItem(claim, result)
        return claim, result._replace(outcome=Outcome.BUSY) if state == _BUSY else result

    def _answer(self) -> "pq.abc.PGresult | None":
        """Wait for the answer to the first item in hand.

        Returns:
            The error that it ended with; None where it did not.

        Raises:
            LostItem: None came.
            FileError: The statement is a COPY that waits for this side, for ever.
        """
        sent, unknown = self._sent[0], len(self._statements) - self._prepared
        final = len(sent.before) + unknown + len(self._statements) + len(sent.behind)
        good, last, error = self._answers()
        self._prepared += min(max(good - len(sent.before), 0), unknown)
        if self._frame is None or good < final:
            return error
        # What failed behind its COMMIT is not the item's.
        row = None if error is not None or last is None or not last.ntuples else first_row(last)
        self._frame.heed(self.in_hand[0], row)
        return None

    def _answers(self) -> "tuple[int, pq.abc.PGresult | None, pq.abc.PGresult | None]":
        """The answers to the first item in hand: how many good, the last of these, the error."""
        error: pq.abc.PGresult | None = None
        last: pq.abc.PGresult | None = None
        server, good, was_end = self._server, 0, False
        unknown = len(self._statements) - self._prepared
        try:
            while (answer := self._next()) is None or answer.status != ExecStatus.PIPELINE_SYNC:
                if answer is not None and answer.status in _COPIES:
                    begun = good - len(self._sent[0].before) - unknown
                    _, statement = self._statements[begun]
                    raise FileError(statement.path, statement.line, *_NO_COPY)
                if answer is not None and answer.status == ExecStatus.FATAL_ERROR:
                    error = error or answer
                elif answer is not None and error is None:
                    good, last = good + 1, answer
                # None ends the answers to one message. Twice: there is none to wait for, because
                # libpq could not send it.
                if server.status == ConnStatus.BAD or (was_end and answer is None):
                    raise self._loss(error)
                was_end = answer is None
            if len(self.in_hand) == 1:
                server.exit_pipeline_mode()
        except psycopg.OperationalError:
            raise self._loss(error) from None
        return good, last, error

    def _undo(self, error: "pq.abc.PGresult | None") -> None:
        """Undo what an item's statements did, where the queue holds it in an open transaction."""
        in_error = self._server.transaction_status == TransactionStatus.INERROR
        if error is not None and self._frame is not None and in_error:
            with suppress(EtlError):  # the connection is lost: the next statement tells
                db.run(self._connection, self._frame.undo)

    def _next(self) -> "pq.abc.PGresult | None":
        while self._server.is_busy():
            self._socket.poll()
            self._server.consume_input()
        return self._server.get_result()

    def _loss(self, error: "pq.abc.PGresult | None") -> LostItem:
        self.begun_at = None
        state, message = told(error) if error is not None else ("", "")
        if not message:
            message = line(self._server.error_message)
        return LostItem(self.in_hand[0], Result(Outcome.FAILED, 0.0, state or LOST, message))


def _encoded(values: Sequence[object]) -> list[bytes | None]:
    return [
        value if value is None or isinstance(value, bytes) else str(value).encode()
        for value in values
    ]
