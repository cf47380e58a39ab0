"""The command of a job with key ranges: its options, its windows, in the background."""

from pathlib import Path

import pytest

from tests.integration.squares import FUNCTION, PRIORITIZE, Squares, counts


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
    squares.run("--dry-run").told(found=len(squares.left()))
    assert squares.run("--again", "--dry-run").record["found"] == len(keys)
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
        (["--number=seven"], "'seven' is no number key"),
        ([f"--only={2**64}"], "is no number key"),
        (["--from=2", "--to=1"], "--from is behind --to"),
        (["--from=2", "--number=1"], "exclude each other"),
        (["--parity=prime"], "is not one of 'odd', 'even'"),
        (["--batch-size=0"], "0 is not in the range"),
    ],
)
def test_what_makes_no_sense_is_one_error(
    squares: Squares, arguments: list[str], problem: str
) -> None:
    assert squares.run(*arguments).ended(2, problem).out == ""


@pytest.mark.parametrize(
    ("made", "written"),
    [
        ("etl.range_key(kind, first_key, last_key) AS item_key", "kind || first_key AS item_key"),
        ("kind,\n    first_key, last_key\n", "kind, NULL AS first_key, last_key\n"),
        ("kind,\n    first_key, last_key\n", "kind, 'one' AS first_key, last_key\n"),
        ("kind,\n    first_key, last_key\n", "kind, last_key + 1 AS first_key, last_key\n"),
        ("kind,\n    first_key, last_key\n", "NULL AS kind, first_key, last_key\n"),
    ],
    ids=["another key", "no bound", "no number", "backwards", "no kind"],
)
def test_a_query_that_lists_no_ranges_is_one_error(
    squares: Squares, keys: list[int], made: str, written: str
) -> None:
    squares.add(keys)
    assert made in PRIORITIZE
    squares.write("prioritize.sql", PRIORITIZE.replace(made, written))
    squares.run().ended(2, "prioritize.sql: returned the item_key")
    assert squares.left() == keys


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
    assert dry.record["remarks"] == [
        {"what": "squares", "value": str(positive), "sample": "number 0: none"}
    ]
    assert squares.left() == keys
    squares.run().told(remarks=[{"what": "done", "value": str(len(keys)), "sample": None}])
    squares.write("summary.sql", "SELECT 1")
    squares.run().ended(2, "must return what, value")


def test_detached_it_goes_on_in_the_background(
    squares: Squares, keys: list[int], environment: dict[str, str]
) -> None:
    squares.add(keys)
    squares.connection.execute("SELECT pg_advisory_lock(77)")
    wait = "    PERFORM pg_advisory_xact_lock_shared(77);\n    IF EXISTS"
    function = FUNCTION.replace("CREATE", "CREATE OR REPLACE").replace("    IF EXISTS", wait)
    squares.connection.execute(function.encode())
    ran = squares.run("--detach", WAIT="true")
    assert (ran.status, ran.out) == (0, "")
    log = Path(environment["ETL_STATE_DIR"]) / "logs" / "squares.log"
    assert f"log {log}" in ran.err
    assert squares.left() == keys
    assert squares.run().status == 75
    assert squares.run(WAIT="false").status == 75  # and says so here, not only in the log
    squares.connection.execute("SELECT pg_advisory_unlock(77)")
    squares.run("--wait").ended(0, done=len(keys))  # begins when that one has ended
    assert squares.times() == dict.fromkeys(keys, 2)
    assert f'"done": {len(keys)}' in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


def test_wrong_results_are_looked_for_afterwards(squares: Squares, keys: list[int]) -> None:
    squares.add(keys)
    squares.write(
        "verify.sql",
        "SELECT id AS item_key, 'has no square' AS problem FROM number WHERE square IS NULL",
    )
    wrong = [key for key in keys if key % 2 == 0]
    ran = squares.run("--verify", "--parity=odd").ended(1, wrong=len(wrong), failed=0)
    assert {int(item["item_key"]) for item in ran.record["wrong_items"]} == set(wrong)
    squares.run(VERIFY="true").ended(0, wrong=0)
    assert squares.run(VERIFY="perhaps").status == 2
