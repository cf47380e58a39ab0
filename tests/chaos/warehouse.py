"""The data of a chaos run: real notes or samples, and an audit of every refresh."""

import os
from collections.abc import Sequence
from pathlib import Path

from etl import db, folders
from etl.db import Connection
from etl.sqlfile import statements
from tests.conftest import RUNNER, runner
from tests.faults.servers import OwnServer

DAY = "2026-01-16"
_FIRST_NOTE = 1 << 40

# A refresh holds its user from before `begun_at` until after its commit. PostgreSQL itself says
# when that was, so two of one user that overlap are a broken promise, and nothing else is. A
# refresh takes up to 4 ms longer here, so that a fault often meets it inside its statement.
_AUDIT = (
    "CREATE SCHEMA chaos",
    "CREATE TABLE chaos.refresh (user_id integer, transaction xid8, begun_at timestamptz)",
    "CREATE FUNCTION chaos.begin() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    " PERFORM set_config('chaos.begun_at', clock_timestamp()::text, TRUE);"
    " PERFORM pg_sleep(0.004 * random()); RETURN NULL; END $$",
    "CREATE FUNCTION chaos.refreshed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    " INSERT INTO chaos.refresh VALUES (NEW.dimension_user_id, pg_current_xact_id(),"
    " current_setting('chaos.begun_at')::timestamptz); RETURN NULL; END $$",
    "CREATE TRIGGER chaos_begin BEFORE INSERT ON dwh.datamart_users"
    " FOR EACH STATEMENT EXECUTE FUNCTION chaos.begin()",
    "CREATE TRIGGER chaos_refreshed AFTER INSERT OR UPDATE ON dwh.datamart_users"
    " FOR EACH ROW EXECUTE FUNCTION chaos.refreshed()",
    f"GRANT USAGE ON SCHEMA chaos TO {RUNNER}",
    f"GRANT INSERT ON chaos.refresh TO {RUNNER}",
)


class Warehouse:
    """The database of a chaos run.

    Args:
        server: Its server; runs.
        folder: For files that come up meanwhile.
        users: How many sample users; None: the real notes that ETL_TEST_NOTES names, else
            20,000 sample users.
    """

    def __init__(self, server: OwnServer, folder: Path, users: int | None) -> None:
        self._server = server
        self.name = server.new_database()
        self._notes = 0
        named = os.environ.get("ETL_TEST_NOTES")
        with self.connect() as connection:
            if users is None and named:
                self.source = named
                self._load(folder, Path(named).absolute())
            else:
                scale = users or 20_000
                self.source = f"sample data of {scale:,} users"
                self._sample(connection, scale)
            for statement in _AUDIT:
                connection.execute(statement.encode())
            connection.execute("ANALYZE")
            rows = connection.execute("SELECT dimension_user_id FROM dwh.dimension_users")
            self.users = [int(key) for (key,) in rows]
        self.facts = self.count("SELECT count(*) FROM dwh.facts")

    @property
    def dsn(self) -> str:
        return self._server.dsn(self.name)

    def connect(self) -> Connection:
        """A connection that goes by no proxy."""
        return self._server.connect(self.name)

    def count(self, query: str) -> int:
        """The number that a query returns."""
        with self.connect() as connection:
            ((number,),) = connection.execute(query.encode()).fetchall()
        return int(number)

    def run(self, statement: str) -> int:
        """Run a statement. Returns the number of rows it concerned."""
        with self.connect() as connection:
            return connection.execute(statement.encode()).rowcount

    def add_facts(self, connection: Connection, users: Sequence[int]) -> int:
        """Insert a note opened and closed by each of these users. Returns the number of facts."""
        first = _FIRST_NOTE + self._notes
        self._notes += len(users)
        connection.execute(
            "INSERT INTO dwh.facts (note_id, action, action_at, action_dimension_id_user,"
            " opened_dimension_id_user, dimension_id_country, days_to_resolution)"
            " SELECT $1::bigint + u.place, a.action, '2026-01-15'::timestamp + a.later, u.id,"
            " u.id, (SELECT min(dimension_country_id) FROM dwh.dimension_countries), a.days"
            " FROM unnest($2::integer[]) WITH ORDINALITY AS u (id, place)"
            " CROSS JOIN (VALUES ('opened'::dwh.note_action, '0 h'::interval, NULL::integer),"
            " ('closed', '5 h', 0)) AS a (action, later, days)",
            [first, list(users)],
        )
        return 2 * len(users)

    def _sample(self, connection: Connection, scale: int) -> None:
        file = folders.sql_folder() / "jobs" / "datamart_users" / "sample.sql"
        with connection.transaction():
            for statement in statements(file):
                db.run(connection, statement, scale=scale, as_of=DAY)

    def _load(self, folder: Path, notes: Path) -> None:
        link = folder / notes.name  # what it rejects is written beside it
        link.symlink_to(notes)
        ran = runner({**os.environ, "ETL_DSN": self.dsn})("load-notes", link)
        if ran.status != 0:
            raise SystemExit(ran.err)
