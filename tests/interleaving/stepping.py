"""Sessions that are led step by step; the lock table says whether one is blocked, never a clock.

The real text of the procedure is installed with calls of ``gate(n)`` between its steps. A gate
is an advisory lock of the session's own, held by the observer, so that the session passes when
the observer lets it and no other session is concerned.
"""

from enum import Enum

import psycopg
from psycopg.pq import DiagnosticField, ExecStatus

from etl.db import Connection
from tests.conftest import REPOSITORY

PROCEDURE = REPOSITORY / "sql/jobs/datamart_users/procedures/update_datamart_user.sql"

CLAIM, READ_VERSION, COMPUTE, LOCK = 1, 2, 3, 4
"""The gates, each called by the step that ends there."""

_ANCHORS = {
    CLAIM: "    SELECT u.xmin, u.modified INTO version_before, was_dirty\n",
    READ_VERSION: "    INSERT INTO dwh.datamart_users AS stored\n",
    COMPUTE: "    IF was_dirty THEN\n",
    LOCK: "        UPDATE dwh.dimension_users AS u\n        SET modified = FALSE",
}
_GATE = """
CREATE FUNCTION gate(gate integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(pg_backend_pid()::bigint << 8 | gate);
END $$
"""


def with_calls(calls: dict[int, str]) -> bytes:
    """The procedure's own text with a statement inserted after some of its steps."""
    text = PROCEDURE.read_text(encoding="utf-8")
    for gate, call in calls.items():
        anchor = _ANCHORS[gate]
        assert text.count(anchor) == 1, f"the procedure has changed, there is no one {anchor!r}"
        text = text.replace(anchor, f"    {call}\n{anchor}")
    return text.encode()


def install_gates(connection: Connection) -> None:
    """Replace the procedure by itself with gates."""
    connection.execute(_GATE)
    connection.execute(with_calls({gate: f"PERFORM gate({gate});" for gate in _ANCHORS}))


class State(Enum):
    """Where a session stands when nothing moves any more."""

    IDLE = "idle"
    AT_GATE = "at a gate"
    BLOCKED = "blocked"


class Observer:
    """Keeps the gates, and sees in the lock table for whom a session waits."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.pid = connection.info.backend_pid

    def close_gates(self, pid: int, gates: tuple[int, ...]) -> None:
        """Close some gates of a session."""
        self._connection.execute(
            "SELECT pg_advisory_lock($1::bigint << 8 | g) FROM unnest($2::integer[]) AS g",
            [pid, list(gates)],
        )

    def open_gate(self, pid: int) -> None:
        """Open the gate at which a session waits."""
        opened = self._connection.execute(
            "SELECT pg_advisory_unlock(classid::bigint << 32 | objid::bigint) FROM pg_locks"
            " WHERE pid = $1 AND locktype = 'advisory' AND NOT granted",
            [pid],
        ).fetchall()
        assert opened == [(True,)]

    def open_all(self) -> None:
        self._connection.execute("SELECT pg_advisory_unlock_all()")

    def blockers(self, pid: int) -> frozenset[int]:
        """The sessions for which a session waits now."""
        row = self._connection.execute("SELECT pg_blocking_pids($1)", [pid]).fetchone()
        return frozenset(row[0]) if row else frozenset()


class Session:
    """A connection that is sent statements without waiting for them."""

    def __init__(self, connection: Connection, observer: Observer) -> None:
        self._connection = connection
        self._sent = connection.pgconn
        self._observer = observer
        self.pid = connection.info.backend_pid
        self.blockers: frozenset[int] = frozenset()
        self.sqlstate = ""
        """Of the last error; empty where there was none."""

    def send(self, statements: str) -> None:
        self._sent.send_query(statements.encode())
        self._sent.flush()

    def pass_gate(self) -> None:
        self._observer.open_gate(self.pid)

    def settle(self) -> State:
        """Wait until it has ended what it was sent, or waits for another session."""
        while True:
            if self._has_ended():
                self.blockers = frozenset()
                return State.IDLE
            self.blockers = self._observer.blockers(self.pid)
            if self._observer.pid in self.blockers:
                return State.AT_GATE
            if self.blockers:
                return State.BLOCKED

    def _has_ended(self) -> bool:
        self._sent.consume_input()
        while not self._sent.is_busy():
            result = self._sent.get_result()
            if result is None:
                return True
            if result.status == ExecStatus.FATAL_ERROR:
                state = result.error_field(DiagnosticField.SQLSTATE)
                self.sqlstate = state.decode() if state else "unknown"
        return False

    def reset(self) -> None:
        """Forget the last error; the session must be idle."""
        assert self.settle() is State.IDLE
        assert self._sent.transaction_status == psycopg.pq.TransactionStatus.IDLE
        self.sqlstate = ""
