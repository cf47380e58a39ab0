"""A user for every order that is played, so that no order meets what another one left."""

from collections.abc import Iterable
from dataclasses import dataclass

from etl import db
from etl.db import Connection
from tests.conftest import shipped_job
from tests.support import DAY

STATES = ("marked", "due", "clean")
"""Dirty by its mark; dirty only because time has passed; clean, and asked for by name."""

_PREPARE = """
CREATE TABLE prepared (dimension_user_id integer PRIMARY KEY, version xid);

CREATE PROCEDURE prepare(state text, cases integer) LANGUAGE plpgsql AS $$
DECLARE
    one record;
BEGIN
    INSERT INTO dwh.dimension_users (username)
    SELECT state || ' ' || n FROM generate_series(1, 2 * cases) AS n;

    INSERT INTO dwh.facts (action, note_id, action_at, action_dimension_id_user,
        opened_dimension_id_user, dimension_id_country)
    SELECT 'opened', dimension_user_id * 10 + n, '2026-01-10 10:00', dimension_user_id,
        dimension_user_id, 1
    FROM dwh.dimension_users, generate_series(3, 4) AS n WHERE username LIKE state || ' %';

    FOR one IN SELECT * FROM dwh.dimension_users WHERE username LIKE state || ' %' LOOP
        CALL dwh.update_datamart_user(
            one.dimension_user_id,
            CASE state WHEN 'due' THEN DATE '2026-01-10' ELSE '2026-01-16' END
        );
    END LOOP;

    IF state = 'marked' THEN
        INSERT INTO dwh.facts (action, note_id, action_at, action_dimension_id_user,
            opened_dimension_id_user, dimension_id_country)
        SELECT 'opened', dimension_user_id * 10 + 7, '2026-01-11 10:00', dimension_user_id,
            dimension_user_id, 1
        FROM dwh.dimension_users WHERE username LIKE state || ' %';
    END IF;
    INSERT INTO prepared
    SELECT d.dimension_user_id, d.xmin FROM dwh.datamart_users AS d
    ON CONFLICT DO NOTHING;
END $$
"""


@dataclass(frozen=True)
class Case:
    """One user, whom one order is about.

    Attributes:
        other: Somebody else, who closes a note of this user.
        note: A number that no note has; two below it, and one, are notes of this user.
    """

    state: str
    user: int
    other: int

    @property
    def note(self) -> int:
        return self.user * 10 + 5

    @property
    def is_marked(self) -> bool:
        """Whether the mark is set before anything happens."""
        return self.state == "marked"


class Cases:
    """Makes users in one of the states, and looks at them afterwards."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        connection.execute("INSERT INTO dwh.dimension_countries (country_name) VALUES ('Colombia')")
        connection.execute(_PREPARE)

    def make(self, state: str, number: int) -> list[Case]:
        """So many cases of a state; once for each state."""
        self._connection.execute("CALL prepare($1, $2)", [state, number])
        rows = self._connection.execute(
            "SELECT dimension_user_id FROM dwh.dimension_users WHERE username LIKE $1 || ' %'"
            " ORDER BY dimension_user_id",
            [state],
        ).fetchall()
        users = [int(user) for (user,) in rows]
        return [
            Case(state, user, other)
            for user, other in zip(users[:number], users[number:], strict=True)
        ]

    def marked(self) -> set[int]:
        rows = self._connection.execute(
            "SELECT dimension_user_id FROM dwh.dimension_users WHERE modified"
        )
        return {int(user) for (user,) in rows}

    def wrong(self) -> dict[int, str]:
        """The clean users whose row is not what all committed facts say, whole rows compared."""
        rows = db.run(self._connection, shipped_job().verify, as_of=DAY)
        return {int(user): str(problem) for user, problem in rows}

    def untouched(self, users: Iterable[int]) -> set[int]:
        """Those of these users whose datamart row is still the one that was prepared."""
        rows = self._connection.execute(
            "SELECT d.dimension_user_id FROM dwh.datamart_users AS d"
            " WHERE d.dimension_user_id = ANY ($1) AND d.xmin = ("
            " SELECT p.version FROM prepared AS p WHERE p.dimension_user_id = d.dimension_user_id)",
            [list(users)],
        )
        return {int(user) for (user,) in rows}

    def drain(self) -> None:
        """Refresh whoever is dirty, as the next cycle does."""
        self._connection.execute(
            "DO $$ DECLARE one record; BEGIN"
            " FOR one IN SELECT dimension_user_id AS key FROM dwh.dimension_users WHERE modified"
            " UNION SELECT dimension_user_id FROM dwh.datamart_users"
            " WHERE next_change_on <= '2026-01-16' LOOP"
            " CALL dwh.update_datamart_user(one.key, '2026-01-16'); END LOOP; END $$"
        )
