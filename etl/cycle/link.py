"""The connection of a cycle's supervisor, found again when it is lost.

The workers have connections of their own and look after them. The supervisor's serves the
progress in the ledger, the closing record, and the lock between hosts that is bound to it.
A cycle goes on without it for a while; what it may not do is go on beside another one.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from psycopg.conninfo import make_conninfo

from etl import db
from etl.errors import DatabaseUnreachableError
from etl.events import ConnectionFound, ConnectionLost, Emit
from etl.lock import Holder, lock_database
from etl.sqlfile import shipped

_ANSWER_S = 20.0
_CLOSE_S = 600.0  # a million attempts are copied in some seconds; a DBA's lock may take longer
_CONNECT_S = 3
_PAUSE_S = 0.5
_PATIENCE_S = 60.0


class Link:
    """A connection with the lock between hosts.

    Args:
        target: Where to.
        job: The job's command, which is the name of the lock.
        emit: Told when the connection is lost and found.
        is_crew: Whether the cycle is another host's, which has the lock.

    Raises:
        EtlError: No connection was had.
    """

    def __init__(self, target: db.Target, job: str, emit: Emit, *, is_crew: bool = False) -> None:
        self._target = target
        self._job = job
        self._emit = emit
        self._lost: DatabaseUnreachableError | None = None
        self._session: Holder | None = None
        self._try_again_at = 0.0
        self._is_crew = is_crew
        self._name = f"etl:{job} crew" if is_crew else f"etl:{job}"
        self.connection = db.connect(target, self._name)

    def another(self) -> db.Connection:
        """One more connection, for what must not wait for this one.

        Raises:
            EtlError: It was not had.
        """
        return db.connect(self._target, self._name)

    def lock(self) -> None:
        """Take the lock between hosts.

        Raises:
            CycleRunningError: Another host has it.
        """
        self._session = lock_database(self.connection, self._job)

    def unlock(self) -> None:
        """Give the lock back now: the server may take a moment to end the session."""
        with suppress(DatabaseUnreachableError):
            db.run(self.connection, shipped("lock/free_cycle_lock"), job=self._job)

    def attempt(
        self,
        action: Callable[[db.Connection], object],
        answer_s: float = _ANSWER_S,
        is_enough: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Do something that may be left out while the database is away.

        Args:
            action: What.
            answer_s: How long it may take; then the server counts as lost, seconds.
            is_enough: Whether somebody has lost patience before.

        Returns:
            Whether it was done.

        Raises:
            CycleRunningError: The connection is back, but another host runs a cycle by now.
        """
        now = time.monotonic()
        if self._lost is not None and now < self._try_again_at:
            return False
        try:
            if self._lost is not None:
                self._find()
            with db.answered_within(self.connection, answer_s, is_enough):
                action(self.connection)
        except DatabaseUnreachableError as error:
            if self._lost is None:
                self._emit(ConnectionLost(error.message))
            self.connection.close()
            self._lost = error
            self._try_again_at = time.monotonic() + _PAUSE_S
            return False
        return True

    def insist(
        self, action: Callable[[db.Connection], object], is_enough: Callable[[], bool]
    ) -> None:
        """Do something that must be done, and wait a minute for the database if need be.

        Args:
            action: What.
            is_enough: Whether somebody has lost patience before.

        Raises:
            CycleRunningError: As for ``attempt``.
            DatabaseUnreachableError: It did not come back.
        """
        patient_until = time.monotonic() + _PATIENCE_S
        while not self.attempt(action, _CLOSE_S, is_enough):
            if self._lost is not None and (is_enough() or time.monotonic() > patient_until):
                raise self._lost
            time.sleep(_PAUSE_S)

    def close(self) -> None:
        """Give up the connection, and the lock with it."""
        self.connection.close()

    def _find(self) -> None:
        dsn = make_conninfo(self._target.dsn, connect_timeout=_CONNECT_S)
        connection = db.connect(replace(self._target, dsn=dsn), self._name)
        if self._is_crew:
            self.connection, self._lost = connection, None
            self._emit(ConnectionFound())
            return
        session = None
        try:
            with db.answered_within(connection, _ANSWER_S):
                session = lock_database(connection, self._job, self._session)
        finally:
            if session is None:
                connection.close()
        if session is None:
            raise DatabaseUnreachableError("the session that was lost still holds the cycle's lock")
        self.connection, self._session, self._lost = connection, session, None
        self._emit(ConnectionFound())
