"""What a loader of the storm does: a few random changes, then commit or roll back."""

import random
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import psycopg

from etl.db import Connection
from tests.interleaving.programs import CLOSING, INSERT, MARK, SELECT_USER, TRIGGERED
from tests.support import DAY

_REPLICA = "SET LOCAL session_replication_role = replica"
_DELETE = "DELETE FROM dwh.facts WHERE action_dimension_id_user = {user} AND note_id % 3 = {third}"
_CHANGES = {
    "insert": [INSERT],
    "insert, as one snapshot": [INSERT],
    "mark": [MARK],
    "insert without the trigger, mark": [_REPLICA, INSERT, TRIGGERED, MARK],
    "mark, insert without the trigger": [MARK, _REPLICA, INSERT, TRIGGERED],
    "insert in a savepoint": ["SAVEPOINT s", INSERT, "RELEASE s"],
    "insert in a savepoint, undo": ["SAVEPOINT s", INSERT, "ROLLBACK TO s"],
    "close": [
        CLOSING.partition(" VALUES")[0]
        + " SELECT 'closed', f.note_id, f.action_at, {other}, {user}, 1, 0 FROM dwh.facts AS f"
        " WHERE f.action_dimension_id_user = {user} AND f.action = 'opened'"
        " AND f.note_id % 3 = {third} ORDER BY f.note_id LIMIT 1 ON CONFLICT DO NOTHING"
    ],
    "delete": [_DELETE],
    "lock": [SELECT_USER + "UPDATE"],
    "keep the key": [SELECT_USER + "KEY SHARE"],
}
_UNDONE = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)


class Loader:
    """Changes the facts and marks of a few users until it is stopped.

    Args:
        connection: In autocommit; used by nobody else.
        seed: Its choices follow from it.
        number: Tells its notes from those of other loaders.
        users: Whom it is about.
    """

    def __init__(
        self, connection: Connection, seed: int, number: int, users: Sequence[int]
    ) -> None:
        self._connection = connection
        self._random = random.Random(f"{seed} loader {number}")  # noqa: S311 - no secret
        self._note = number * 100_000_000
        self._users = users
        self.ends: Counter[str] = Counter()
        # Two loaders that lock two users in turn are to meet, not to wait a second for it.
        connection.execute("SET deadlock_timeout = '10ms'")

    def run_once(self) -> None:
        """One transaction."""
        chosen = self._random.choices(list(_CHANGES), k=self._random.randint(1, 3))
        is_kept = self._random.random() < 0.75
        is_snapshot = any("snapshot" in name for name in chosen)
        try:
            self._connection.execute(
                "BEGIN ISOLATION LEVEL REPEATABLE READ" if is_snapshot else "BEGIN"
            )
            for name in chosen:
                self._change(_CHANGES[name])
            self._connection.execute("COMMIT" if is_kept else "ROLLBACK")
            self.ends["committed" if is_kept else "rolled back"] += 1
        except _UNDONE as error:
            self._connection.execute("ROLLBACK")
            self.ends[type(error).__name__] += 1

    def _change(self, statements: Sequence[str]) -> None:
        self._note += 1
        user, other = self._random.sample(list(self._users), 2)
        at = DAY - timedelta(days=self._random.randrange(60))
        third = self._random.randrange(3)
        for statement in statements:
            text = statement.format(user=user, other=other, note=self._note, third=third)
            self._connection.execute(text.replace("2026-01-12", str(at)).encode())
