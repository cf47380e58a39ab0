"""A small job whose items are the rows of a table, for tests of what holds for any job."""

from pathlib import Path
from typing import TYPE_CHECKING

from etl.db import Connection

if TYPE_CHECKING:  # which makes one for each test that wants it
    from tests.conftest import Etl, Ran


class Tally:
    """A small job on a table of its own: things are dirty until they are counted."""

    def __init__(self, folder: Path, etl: "Etl", connection: Connection) -> None:
        self.folder, self._etl, self.connection = folder, etl, connection
        folder.mkdir(parents=True)
        connection.execute(
            "CREATE TABLE thing (key text PRIMARY KEY, level integer DEFAULT 1, tags text[]"
            " DEFAULT '{a,\"b c\"}', seen text[], dirty boolean DEFAULT TRUE)"
        )
        connection.execute("GRANT SELECT, UPDATE ON thing TO etl_runner")
        self.write("job.toml", 'title = "Tally"\nunit = "thing"\n')
        self.write(
            "backlog.sql",
            "SELECT level, count(*) AS items, now() FROM thing WHERE dirty GROUP BY 1",
        )
        self.write(
            "prioritize.sql",
            "SELECT t.key AS item_key, t.level, t.tags FROM thing AS t WHERE t.dirty"
            " AND NOT EXISTS (SELECT FROM etl.held_item AS h"
            " WHERE h.job = 'tally' AND h.item_key = t.key)"
            " ORDER BY t.level, t.key LIMIT :max_items",
        )
        self.write(
            "process.sql", "UPDATE thing SET dirty = FALSE, seen = :'tags' WHERE key = :'item_key'"
        )

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text + "\n")

    def work(self, body: str) -> None:
        """Have each thing worked on by a function with this body; ``name`` is its key."""
        self.connection.execute(
            "CREATE FUNCTION work(name text) RETURNS void LANGUAGE plpgsql SET lock_timeout = 0"
            f" AS $$ BEGIN {body} END $$".encode()
        )
        self.write("process.sql", "SELECT work(:'item_key')")

    def add(self, *keys: str) -> None:
        for key in keys:
            self.connection.execute("INSERT INTO thing (key) VALUES ($1)", [key])

    def run(self, *arguments: str) -> "Ran":
        return self._etl("tally", "--json", *arguments, ETL_JOBS_DIR=str(self.folder.parent))
