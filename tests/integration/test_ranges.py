"""A job whose items are ranges of keys: batches, rounds, and bad keys that are found alone."""

import pytest

from tests.faults.conftest import Run, kill_whole_cycle, wait_until_disconnected
from tests.integration.squares import FUNCTION, JOB, Squares, counts
from tests.waiting import WAITS_AT_GATE, until_found


@pytest.mark.parametrize("workers", [1, 3])
def test_every_key_is_done_once(squares: Squares, keys: list[int], workers: int) -> None:
    squares.add(keys)
    ran = squares.run(f"--workers={workers}").ended(0)
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
    ran = squares.run("--workers=2").ended(1)
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
        ran = squares.run("--max-numbers=400").ended(0)
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
    assert [level["left"] for level in ran.record["levels"]] == [1, 1]
    assert squares.left() == [2**31 + 1, 2**31 + 2]
    assert counts(squares.run()) == (2, 2, 0, 0)
    assert set(squares.times().values()) == {1}


def test_a_batch_that_takes_too_long_is_halved_until_it_does_not(
    squares: Squares, keys: list[int]
) -> None:
    squares.add(keys)
    squares.write("job.toml", JOB.replace("[defaults]", '[defaults]\nstatement_timeout = "200ms"'))
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


@pytest.mark.parametrize("finishes", [False, True], ids=["ended", "finished by the server"])
def test_a_killed_cycle_is_resumed_exactly_where_it_was(
    squares: Squares, keys: list[int], environment: dict[str, str], dsn: str, finishes: bool
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
    until_found(squares.connection, WAITS_AT_GATE, rows=2, running=cycle.process)
    kill_whole_cycle(cycle)
    cycle.end()
    if not finishes:
        squares.connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name LIKE 'etl:%'"
        )
        wait_until_disconnected(squares.connection)
    done = set(keys) - set(squares.left())
    assert 0 < len(done) < len(keys)
    squares.connection.execute("SELECT pg_advisory_unlock(77)")
    wait_until_disconnected(squares.connection)
    resumed = squares.run()
    assert "was cut off" in resumed.err
    squares.connection.execute("UPDATE etl.held_item SET held_until = now()")
    squares.run()
    assert squares.times() == dict.fromkeys(keys, 1)
    assert not squares.connection.execute("SELECT FROM etl.held_item").fetchall()
    rounds = squares.connection.execute("SELECT count(*), count(ended_at) FROM etl.round")
    assert rounds.fetchall() == [(1, 1)]
