"""What meets a whole batch of keys, though it is one key's or nobody's fault."""

import sys
from pathlib import Path

import pytest

from etl.db import Connection
from etl.model import Claim, Outcome
from etl.sqlfile import Statement
from etl.worker.executor import Executor
from etl.worker.unsettled import DoubtfulItem
from tests.conftest import Connect, run_program
from tests.faults.conftest import Run, wait_until_disconnected
from tests.integration.squares import FUNCTION, JOB, Squares, counts
from tests.waiting import WAITS_AT_GATE, until_found


def rewrite(squares: Squares, before: str, after: str) -> None:
    """Change the function that the batches call."""
    text = FUNCTION.replace("CREATE", "CREATE OR REPLACE")
    assert before in text
    squares.connection.execute(text.replace(before, after).encode())


@pytest.mark.parametrize("state", ["XX001", "42501"])
def test_a_key_that_fails_as_if_all_would_is_found_alone(
    squares: Squares, keys: list[int], state: str
) -> None:
    squares.add(keys)
    squares.spoil(keys[100])
    rewrite(squares, "P0001", state)
    ran = squares.run("--workers=1")
    assert counts(ran) == (len(keys), len(keys) - 1, 1, 0), ran.err
    assert squares.left() == [keys[100]]


def test_what_fails_for_every_key_stops_the_cycle(squares: Squares, keys: list[int]) -> None:
    squares.add(keys)
    rewrite(squares, "IF EXISTS", "RAISE EXCEPTION 'none' USING ERRCODE = '42501';\n    IF EXISTS")
    squares.run("--workers=1").ended(2, "none [42501]")
    assert squares.left() == keys


def test_a_table_that_somebody_holds_is_busy_and_ends_no_worker(
    squares: Squares, keys: list[int], environment: dict[str, str], dsn: str, connect_again: Connect
) -> None:
    squares.add(keys)
    squares.write("job.toml", JOB.replace('"60s"', '"200ms"'))
    wait = "SET lock_timeout = 0; PERFORM pg_advisory_xact_lock_shared(77); SET lock_timeout = 200;"
    rewrite(squares, "    INSERT INTO batch", f"    {wait}\n    INSERT INTO batch")
    keeper = connect_again()
    keeper.execute("SELECT pg_advisory_lock(77)")
    folder = str(squares.folder.parent)
    cycle = Run({**environment, "ETL_DSN": dsn, "ETL_JOBS_DIR": folder}, "squares", "--workers=1")
    until_found(squares.connection, WAITS_AT_GATE, running=cycle.process)
    with keeper.transaction():
        keeper.execute("LOCK TABLE number")
        keeper.execute("SELECT pg_advisory_unlock(77)")
        is_busy = "SELECT FROM etl.cycle WHERE busy > 0"
        until_found(squares.connection, is_busy, running=cycle.process)
    told = cycle.ended(0, failed=0, orphaned=0, remaining=0).record
    assert told["busy"] == len(squares.left()) > 0
    assert counts(squares.run()) == (told["busy"], told["busy"], 0, 0)


def test_what_is_held_elsewhere_keeps_no_other_round_open(
    squares: Squares, keys: list[int]
) -> None:
    squares.add(keys)
    squares.spoil(keys[500])
    assert squares.run().status == 1
    one = keys[7]
    for times in (2, 3):
        assert counts(squares.run(f"--only={one}")) == (1, 1, 0, 0)
        assert squares.times()[one] == times
    window = (f"--from={keys[0]}", f"--to={keys[9]}")
    for times in (2, 3):
        assert counts(squares.run(*window)) == (10, 10, 0, 0)
        assert squares.times()[keys[0]] == times


def test_keys_that_are_gone_by_now_do_not_hide_the_bad_one(squares: Squares) -> None:
    squares.add([1, *range(2, 62, 2)])
    squares.spoil(6)
    squares.connection.execute(
        "CREATE FUNCTION thin() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN"
        " DELETE FROM number WHERE id > 8; RETURN NULL; END $$"
    )
    squares.connection.execute(
        "CREATE TRIGGER thin AFTER INSERT ON batch FOR EACH ROW WHEN (NEW.kind = 'odd')"
        " EXECUTE FUNCTION thin()"
    )
    squares.run("--workers=1").told(failed=1)
    assert squares.left() == [6]


def test_held_keys_are_left_out_whatever_a_backslash_means_to_the_role(
    connection: Connection,
) -> None:
    connection.execute("SET standard_conforming_strings = off")
    connection.execute(
        "INSERT INTO etl.held_item VALUES"
        " ('j', 'odd:-3..-2', 1, 'infinity', now(), 1, 'failed'),"
        " ('j', 'odd:4', 1, 'infinity', now(), 1, 'failed'),"
        " ('j', 'even:1..9', 1, 'infinity', now(), 1, 'failed')"
    )
    left = connection.execute("SELECT * FROM etl.keys_left('j', 1, 'odd', -5, 9, now())")
    assert left.fetchall() == [(-5, -4), (-1, 3), (5, 9)]


def test_the_acknowledgement_is_prepared_when_it_can_be(connection: Connection) -> None:
    """Somebody may hold its table when the first batch comes."""
    texts = "SELECT 1", "INSERT INTO late VALUES (1)"
    two = [Statement(Path("a.sql"), 1, text.encode(), (), text) for text in texts]
    executor = Executor(connection, two, {})
    claim = Claim(1, "odd:1", 1, {})
    with pytest.raises(DoubtfulItem, match="late"):
        executor.run(claim, 1.0, may_defer=False)
    connection.execute("CREATE TABLE late (n integer)")
    assert executor.run(claim, 1.0, may_defer=False).outcome is Outcome.DONE
    assert executor.run(claim, 1.0, may_defer=False).outcome is Outcome.DONE
    assert connection.execute("SELECT FROM late").rowcount == 2


def test_a_key_that_does_not_exist_is_one_error(squares: Squares) -> None:
    squares.add([1, 2, 3])
    for more in ([], ["--dry-run"]):
        squares.run("--only=4", *more).ended(2, "there is no number 4")
    assert squares.run("--only=3").status == 0
    assert squares.run("--from=5", "--to=9").status == 0  # of a window nobody said so


def test_wrong_results_are_told_before_what_is_quarantined(
    squares: Squares, keys: list[int]
) -> None:
    squares.add(keys)
    squares.write("verify.sql", "SELECT id AS item_key, 'is odd' AS problem FROM number LIMIT 1")
    squares.connection.execute(
        "INSERT INTO etl.held_item (job, item_key, attempts, held_until, quarantined_at,"
        " last_cycle_id, last_outcome) VALUES ('squares', 'odd:7777777', 3, 'infinity', now(), 1,"
        " 'failed')"
    )
    assert squares.run().status == 3
    assert squares.run("--verify").status == 1
    squares.write("verify.sql", "SELECT 1 / 0 AS item_key, '' AS problem")
    squares.run("--verify").ended(2, "verify.sql", done=len(keys))  # what it did is told


def test_detached_it_imports_nothing_from_the_current_folder(
    squares: Squares, environment: dict[str, str], dsn: str, tmp_path: Path
) -> None:
    planted = tmp_path / "planted" / "etl"
    planted.mkdir(parents=True)
    (planted / "__init__.py").touch()
    (planted / "__main__.py").write_text("print('PLANTED')")
    folder = str(squares.folder.parent)
    command = [sys.executable, "-P", "-m", "etl", "squares", "--detach"]
    known = {**environment, "ETL_DSN": dsn, "ETL_JOBS_DIR": folder}
    run_program(*command, env=known, cwd=planted.parent).ended(0, "goes on in the background")
    wait_until_disconnected(squares.connection)
    log = Path(environment["ETL_STATE_DIR"]) / "logs" / "squares.log"
    assert "PLANTED" not in log.read_text()
