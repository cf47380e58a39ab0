"""Whether a connection pooler such as PgBouncer keeps a session to one client.

A cycle holds a lock and has settings that belong to its session. In PgBouncer's transaction
and statement mode a session is anybody's between two statements: the lock would be left on
a connection that others use, and the settings would be theirs. Such a pooler cannot be asked
for its mode, but it can be caught: while one connection is idle, its server process answers
another connection, or another server process answers the first one.

==============  ==========================  =========================
pooler          the second connection gets  the first one gets
==============  ==========================  =========================
session mode    another process, or waits   always the same
last in first   the idle process of the     the same, or another when
out (default)   first                       somebody stepped in
round robin     the next process            the next process
==============  ==========================  =========================

Several rounds, because somebody else may step in between two questions.
"""

import select

import psycopg
from psycopg import pq

from etl.db.statement import Connection
from etl.sqlfile import shipped

_ROUNDS = 5
# The pool of a session mode may be used up: then the second connection would wait for
# minutes. Where sessions are shared it is served as soon as the first one is idle.
_PATIENCE_S = 1.0


def is_shared(mine: Connection, other: Connection) -> bool:
    """Whether other clients are served by the session of a connection while it is idle.

    Args:
        mine: The connection, in autocommit.
        other: Another one with the same parameters; must be closed afterwards.

    Raises:
        psycopg.Error: ``mine`` was lost.
    """
    processes = {_process(mine)}
    for _ in range(_ROUNDS):
        _ask(other)
        answer = _answer(other, _PATIENCE_S)
        # Twice without the other in between: round robin over two would serve each by its own.
        processes |= {_process(mine), _process(mine)}
        if len(processes) > 1:
            return True
        if answer is None:
            # Whoever waits is served in order: sharing sessions, it would have been by now.
            answer = _answer(other, _PATIENCE_S / 5)
        if answer is None or answer in processes:
            return answer is not None
    return False


def _process(connection: Connection) -> int:
    # Never prepared: where sessions are shared, the next one does not know the statement.
    row = connection.execute(shipped("session/server_process").text, prepare=False).fetchone()
    return int(row[0]) if row else 0


def _ask(connection: Connection) -> None:
    connection.pgconn.send_query(shipped("session/server_process").text)


def _answer(connection: Connection, patience_s: float) -> int | None:
    """The server process that answers a question; None where none does in this time."""
    wire = connection.pgconn
    try:
        wire.flush()
        while wire.is_busy():
            if not select.select([wire.socket], [], [], patience_s)[0]:
                return None
            wire.consume_input()
    except psycopg.OperationalError:  # turned away: the server or the pool takes no more
        return None
    process = None
    while result := wire.get_result():
        if result.status == pq.ExecStatus.TUPLES_OK:
            value = result.get_value(0, 0)
            process = int(value) if value else None
    return process
