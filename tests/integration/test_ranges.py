"""A job whose items are ranges of keys: batches, rounds, and bad keys that are found alone."""

import json
import os
import random
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from etl.db import Connection
from tests.conftest import Etl, Ran
from tests.faults.conftest import Run

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
SELECT etl.range_key(kind, first_key, last_key) AS item_key, level, weight, kind, first_key, last_key
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
    WHERE id BETWEEN :first_key AND :last_key AND abs(id % 2) = CASE :'kind' WHEN 'odd' THEN 1 ELSE 0 END
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
    WHERE n.id BETWEEN first_key AND last_key AND abs(n.id % 2) = CASE kind WHEN 'odd' THEN 1 ELSE 0 END;
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
        """Write a file of the job."""
        (self.folder / name).write_text(text + "\n")

    def add(self, keys: Sequence[int]) -> None:
        """Add numbers."""
        self.connection.execute("INSERT INTO number (id) SELECT unnest($1::bigint[])", [list(keys)])

    def spoil(self, *keys: int) -> None:
        """Let these fail; none: all are right."""
        self.connection.execute("UPDATE number SET is_bad = id = ANY($1::bigint[])", [list(keys)])

    def run(self, *arguments: str, **more: str) -> Ran:
        """Run a cycle."""
        folder = str(self.folder.parent)
        return self._etl("squares", "--json", *arguments, **{"ETL_JOBS_DIR": folder, **more})

    def times(self) -> dict[int, int]:
        """How often each number was done."""
        return dict(self.connection.execute("SELECT id, times FROM number ORDER BY id").fetchall())

    def left(self) -> list[int]:
        """The numbers that were not."""
        return [key for key, times in self.times().items() if not times]


@pytest.fixture
def squares(tmp_path: Path, etl: Etl, connection: Connection) -> Squares:
    return Squares(tmp_path / "jobs" / "squares", etl, connection)


@pytest.fixture
def keys() -> list[int]:
    """Keys with gaps, large and small, on both sides of nought."""
    lot = random.Random(6)  # noqa: S311
    return sorted({lot.randrange(-(10**6), 10**6) for _ in range(900)} | {0, 1, 2**31})


def counts(ran: Ran) -> tuple[int, int, int, int]:
    """Found, done, failed and remaining."""
    told = json.loads(ran.out)
    assert told["found"] == sum(
        told[name] for name in ("done", "failed", "busy", "orphaned", "remaining")
    )
    return told["found"], told["done"], told["failed"], told["remaining"]


@pytest.mark.parametrize("workers", [1, 3])
def test_every_key_is_done_once(squares: Squares, keys: list[int], workers: int) -> None:
    squares.add(keys)
    ran = squares.run(f"--workers={workers}")
    assert ran.status == 0, ran.err
    assert counts(ran) == (len(keys), len(keys), 0, 0)
    assert squares.times() == dict.fromkeys(keys, 1)
    attempts = squares.connection.execute(
        "SELECT sum(weight), sum(keys) FROM etl.attempt FULL JOIN etl.done_range"
        " ON item_key = etl.range_key(kind, first_key, last_key)"
    ).fetchall()
    assert attempts == [(len(keys), len(keys))]


def test_bad_keys_are_found_alone_and_the_others_are_done(
    squares: Squares, keys: list[int]
) -> None:
    squares.add(keys)
    bad = [keys[0], keys[100], keys[101], keys[555], keys[-1]]
    squares.spoil(*bad)
    ran = squares.run("--workers=2")
    assert ran.status == 1
    assert counts(ran) == (len(keys), len(keys) - 5, 5, 0)
    assert squares.left() == bad
    held = squares.connection.execute("SELECT item_key FROM etl.held_item").fetchall()
    assert {int(key.partition(":")[2]) for (key,) in held} == set(bad)
    squares.spoil()
    squares.connection.execute("UPDATE etl.held_item SET held_until = now()")
    again = squares.run()
    assert counts(again) == (5, 5, 0, 0), again.err
    assert squares.times() == dict.fromkeys(keys, 1)
    assert not squares.connection.execute("SELECT FROM etl.held_item").fetchall()


def test_a_round_goes_on_where_the_last_cycle_ended_it(squares: Squares, keys: list[int]) -> None:
    squares.add(keys)
    done = 0
    for cycle in range(3):
        ran = squares.run("--max-numbers=400")
        assert ran.status == 0, ran.err
        found, fresh, _, remaining = counts(ran)
        assert (found, remaining) == (len(keys) - done, found - fresh)
        assert 400 <= fresh < 500 or cycle == 2
        done += fresh
    assert squares.times() == dict.fromkeys(keys, 1)
    assert counts(squares.run())[1] == len(keys)  # that round has ended: the next one
    assert squares.times() == dict.fromkeys(keys, 2)


def test_keys_that_come_while_it_runs_are_done_by_the_next_cycle_alone(
    squares: Squares, keys: list[int]
) -> None:
    squares.add(keys)
    # A batch adds one above all others, and one in a gap that is done by then.
    squares.connection.execute(
        "CREATE FUNCTION add() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN"
        " INSERT INTO number (id) VALUES (2 ^ 31 + 1), (2 ^ 31 + 2) ON CONFLICT DO NOTHING;"
        " RETURN NULL; END $$"
    )
    squares.connection.execute(
        "CREATE TRIGGER add AFTER INSERT ON batch FOR EACH ROW WHEN (NEW.kind = 'even')"
        " EXECUTE FUNCTION add()"
    )
    ran = squares.run("--workers=1")
    assert counts(ran)[1] == len(keys)
    assert [level["left"] for level in json.loads(ran.out)["levels"]] == [1, 1]
    assert squares.left() == [2**31 + 1, 2**31 + 2]
    assert counts(squares.run()) == (2, 2, 0, 0)
    assert set(squares.times().values()) == {1}


def test_a_batch_that_takes_too_long_is_halved_until_it_does_not(
    squares: Squares, keys: list[int]
) -> None:
    squares.add(keys)
    squares.write("job.toml", JOB + '[defaults]\nstatement_timeout = "200ms"\n')
    slow = keys[321]
    squares.connection.execute(
        "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF {slow} BETWEEN NEW.first_key AND NEW.last_key AND NEW.last_key != NEW.first_key"
        " THEN PERFORM pg_sleep(9); END IF; RETURN NULL; END $$".encode()
    )
    squares.connection.execute(
        "CREATE TRIGGER dawdle AFTER INSERT ON batch FOR EACH ROW EXECUTE FUNCTION dawdle()"
    )
    ran = squares.run("--workers=1")
    assert counts(ran) == (len(keys), len(keys), 0, 0), ran.err
    assert squares.times() == dict.fromkeys(keys, 1)


def test_a_killed_cycle_is_resumed_exactly_where_it_was(
    squares: Squares, keys: list[int], environment: dict[str, str], dsn: str
) -> None:
    squares.add(keys)
    wait = "PERFORM pg_advisory_xact_lock_shared(77);"
    squares.connection.execute(
        FUNCTION.replace("CREATE", "CREATE OR REPLACE")
        .replace(
            "    IF EXISTS", f"    IF first_key > {keys[500]} THEN {wait} END IF;\n    IF EXISTS"
        )
        .encode()
    )
    squares.connection.execute("SELECT pg_advisory_lock(77)")
    folder = str(squares.folder.parent)
    cycle = Run({**environment, "ETL_DSN": dsn, "ETL_JOBS_DIR": folder}, "squares", "--workers=2")
    waiting = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 77 AND NOT granted"
    while squares.connection.execute(waiting).rowcount < 2:
        assert cycle.process.poll() is None, cycle.end()
    for process in (*cycle.workers(), cycle.process.pid):
        os.kill(process, signal.SIGKILL)
    cycle.end()
    done = set(keys) - set(squares.left())
    assert 0 < len(done) < len(keys)
    squares.connection.execute("SELECT pg_advisory_unlock(77)")
    resumed = squares.run()
    assert "was cut off" in resumed.err
    squares.connection.execute("UPDATE etl.held_item SET held_until = now()")
    squares.run()
    assert squares.times() == dict.fromkeys(keys, 1)
    assert not squares.connection.execute("SELECT FROM etl.held_item").fetchall()
    rounds = squares.connection.execute("SELECT count(*), count(ended_at) FROM etl.round")
    assert rounds.fetchall() == [(1, 1)]


def test_options_and_windows_say_what_it_is_about(squares: Squares, keys: list[int]) -> None:
    squares.add(keys)
    odd = [key for key in keys if key % 2]
    window = [key for key in keys if keys[200] <= key <= keys[299]]
    assert counts(squares.run("--parity=odd"))[1] == len(odd)
    assert set(squares.left()) == set(keys) - set(odd)
    ran = squares.run(f"--from={keys[200]}", f"--to={keys[299]}")
    assert counts(ran) == (100, 100, 0, 0)
    assert set(squares.left()) == set(keys) - set(odd) - set(window)
    assert counts(squares.run(f"--only={keys[7]}")) == (1, 1, 0, 0)
    assert counts(squares.run(f"--number={keys[7]}")) == (1, 1, 0, 0)
    assert squares.times()[keys[7]] == 2 + keys[7] % 2
    assert counts(squares.run())[1] == len(keys)  # a scope has a round of its own


def test_again_leaves_what_the_last_cycle_has_left(squares: Squares, keys: list[int]) -> None:
    squares.add(keys)
    squares.run("--max-numbers=400")
    dry = json.loads(squares.run("--dry-run").out)
    assert dry["found"] == len(squares.left())
    assert json.loads(squares.run("--again", "--dry-run").out)["found"] == len(keys)
    assert counts(squares.run("--again"))[1] == len(keys)
    assert sorted(set(squares.times().values())) == [1, 2]


def test_the_size_of_batches_can_be_said(squares: Squares, keys: list[int]) -> None:
    squares.add(keys)
    squares.run("--batch-size=50", "--workers=1")
    sizes = squares.connection.execute("SELECT keys FROM etl.done_range ORDER BY done_at")
    assert {keys for (keys,) in sizes} - {50} <= {
        len([k for k in keys if k % 2 == n]) % 50 for n in (0, 1)
    }
    squares.run("--again", "--workers=1", BATCH_SIZE="7")
    ((most,),) = squares.connection.execute("SELECT max(keys) FROM etl.done_range").fetchall()
    assert most == 7


def test_batches_grow_until_they_take_as_long_as_they_should(
    squares: Squares, keys: list[int]
) -> None:
    squares.add(keys)
    squares.run("--workers=1")
    rows = squares.connection.execute("SELECT keys FROM etl.done_range ORDER BY done_at").fetchall()
    # The first range has 100 keys: 10, twice as many each time, what is left of it; and so on.
    assert [keys for (keys,) in rows][:5] == [10, 20, 40, 30, 80]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--number=seven"], "'seven' is no key of a number"),
        ([f"--only={2**64}"], "is no key of a number"),
        (["--from=2", "--to=1"], "--from is behind --to"),
        (["--from=2", "--number=1"], "exclude each other"),
        (["--parity=prime"], "is not one of 'odd', 'even'"),
        (["--batch-size=0"], "0 is not in the range"),
    ],
)
def test_what_makes_no_sense_is_one_error(
    squares: Squares, arguments: list[str], problem: str
) -> None:
    ran = squares.run(*arguments)
    assert (ran.status, ran.out) == (2, "")
    assert problem in ran.err
    assert "Traceback" not in ran.err


def test_a_job_tells_what_it_would_change_and_what_became_of_it(
    squares: Squares, keys: list[int]
) -> None:
    squares.add(keys)
    squares.write(
        "preview.sql",
        "SELECT 'squares' AS what, count(*) AS records, 'number ' || min(id) || ': none' AS sample"
        " FROM number WHERE square IS NULL AND id BETWEEN :'from_key' AND :'to_key'",
    )
    squares.write(
        "summary.sql",
        "SELECT outcome AS what, CAST(sum(weight) AS bigint) AS value FROM etl.attempt"
        " WHERE cycle_id = :cycle_id GROUP BY 1",
    )
    dry = squares.run("--dry-run", "--from=0")
    positive = sum(key >= 0 for key in keys)
    assert json.loads(dry.out)["remarks"] == [
        {"what": "squares", "value": str(positive), "sample": "number 0: none"}
    ]
    assert squares.left() == keys
    ran = squares.run()
    assert json.loads(ran.out)["remarks"] == [
        {"what": "done", "value": str(len(keys)), "sample": None}
    ]
    squares.write("summary.sql", "SELECT 1")
    broken = squares.run()
    assert (broken.status, "must return what, value" in broken.err) == (2, True)
