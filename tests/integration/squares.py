"""A small job whose items are ranges of the keys of a table."""

from collections.abc import Sequence
from pathlib import Path

from etl.db import Connection
from tests.conftest import Etl, Ran

JOB = """
title = "Squares"
unit = "number"
acknowledge = "ledger"
[levels]
1 = "odd"
2 = "even"
[batches]
start = 10
most = 100
target = "500ms"
growth = 2.0
[defaults]
lock_timeout = "60s"
[options.parity]
help = "Only these."
choices = ["odd", "even"]
"""
# Kinds, a pass each; of each stretch that is left the ranges of at most :most keys.
PRIORITIZE = """
WITH RECURSIVE kinds (level, kind, rest) AS (
    VALUES (1, 'odd', 1), (2, 'even', 0)
),
ranges AS (
    SELECT k.*, s.first_key AS after, s.first_key - 1 AS last_key, s.last_key AS upto,
        CAST(0 AS bigint) AS weight, s.first_key
    FROM kinds AS k, etl.keys_left(
        'squares', :round, k.kind, :'from_key', :'to_key', CAST(:'now' AS timestamptz)
    ) AS s
    WHERE :'parity' IN ('', k.kind)
    UNION ALL
    SELECT r.level, r.kind, r.rest, r.after, n.last_key, r.upto, n.weight, n.first_key
    FROM ranges AS r, LATERAL (
        SELECT min(b.id) AS first_key, max(b.id) AS last_key, count(*) AS weight
        FROM (
            SELECT id FROM number
            WHERE id > r.last_key AND id <= r.upto AND abs(id % 2) = r.rest
            ORDER BY id LIMIT CAST(:most AS bigint)
        ) AS b
    ) AS n
    WHERE n.weight > 0
)
SELECT etl.range_key(kind, first_key, last_key) AS item_key, level, weight, kind,
    first_key, last_key
FROM ranges WHERE weight > 0 ORDER BY level, first_key;
"""
BACKLOG = """
SELECT k.level, count(n.id) AS items, CAST(NULL AS timestamptz) AS oldest_dirty_at
FROM (VALUES (1, 'odd', 1), (2, 'even', 0)) AS k (level, kind, rest)
CROSS JOIN etl.keys_left('squares', :round, k.kind, :'from_key', :'to_key', :'now') AS s
JOIN number AS n ON n.id BETWEEN s.first_key AND s.last_key AND abs(n.id % 2) = k.rest
WHERE :'parity' IN ('', k.kind)
GROUP BY k.level;
"""
CUT = """
SELECT CASE WHEN count(*) < CAST(:size AS bigint) THEN :last_key ELSE max(b.id) END AS last_key,
    count(*) AS keys
FROM (
    SELECT id FROM number
    WHERE id BETWEEN :first_key AND :last_key
        AND abs(id % 2) = CASE :'kind' WHEN 'odd' THEN 1 ELSE 0 END
    ORDER BY id LIMIT CAST(:size AS bigint)
) AS b;
"""
PROCESS = "SELECT square(:'kind', :first_key, :last_key);"
FUNCTION = """
CREATE FUNCTION square(kind text, first_key bigint, last_key bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO batch VALUES (kind, first_key, last_key);
    IF EXISTS (SELECT FROM number AS n WHERE n.id BETWEEN first_key AND last_key AND n.is_bad
        AND abs(n.id % 2) = CASE kind WHEN 'odd' THEN 1 ELSE 0 END) THEN
        RAISE EXCEPTION 'bad number' USING ERRCODE = 'P0001';
    END IF;
    UPDATE number AS n SET square = n.id * n.id, times = times + 1
    WHERE n.id BETWEEN first_key AND last_key
        AND abs(n.id % 2) = CASE kind WHEN 'odd' THEN 1 ELSE 0 END;
END $$
"""


class Squares:
    """A small job on a table with gaps between its keys."""

    def __init__(self, folder: Path, etl: Etl, connection: Connection) -> None:
        self.folder, self._etl, self.connection = folder, etl, connection
        folder.mkdir(parents=True)
        connection.execute(
            "CREATE TABLE number (id bigint PRIMARY KEY, square bigint, times integer DEFAULT 0,"
            " is_bad boolean DEFAULT FALSE)"
        )
        connection.execute("CREATE TABLE batch (kind text, first_key bigint, last_key bigint)")
        connection.execute(FUNCTION.encode())
        connection.execute("GRANT SELECT, INSERT, UPDATE ON number, batch TO etl_runner")
        for name, text in (
            ("job.toml", JOB),
            ("prioritize.sql", PRIORITIZE),
            ("backlog.sql", BACKLOG),
            ("cut.sql", CUT),
            ("process.sql", PROCESS),
        ):
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text + "\n")

    def add(self, keys: Sequence[int]) -> None:
        self.connection.execute("INSERT INTO number (id) SELECT unnest($1::bigint[])", [list(keys)])

    def spoil(self, *keys: int) -> None:
        """Let these fail; none: all are right."""
        self.connection.execute("UPDATE number SET is_bad = id = ANY($1::bigint[])", [list(keys)])

    def run(self, *arguments: str, **more: str) -> Ran:
        folder = str(self.folder.parent)
        return self._etl("squares", "--json", *arguments, **{"ETL_JOBS_DIR": folder, **more})

    def times(self) -> dict[int, int]:
        return dict(self.connection.execute("SELECT id, times FROM number ORDER BY id").fetchall())

    def left(self) -> list[int]:
        return [key for key, times in self.times().items() if not times]


def counts(ran: Ran) -> tuple[int, int, int, int]:
    told = ran.record
    assert told["found"] == sum(
        told[name] for name in ("done", "failed", "busy", "orphaned", "remaining")
    )
    return told["found"], told["done"], told["failed"], told["remaining"]
