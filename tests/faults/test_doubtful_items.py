"""An error that every item would meet, and one that looks like it: who pays for it."""

import pytest

from tests.tally import Tally

STATES = ["42501", "42883", "42P01", "3F000", "25006", "53100", "53200", "58030", "XX000", "08006"]


def break_for(tally: Tally, condition: str, state: str, otherwise: str = "") -> None:
    """Make the statement fail with this SQLSTATE where the condition holds of the key."""
    tally.work(
        f"IF {condition} THEN RAISE EXCEPTION 'no good' USING ERRCODE = '{state}'; END IF;"
        f" {otherwise}"
    )
    tally.add("a", "b", "c", "d", "e", "f")


@pytest.mark.parametrize("state", STATES)
def test_what_everybody_meets_stops_the_cycle_after_three(tally: Tally, state: str) -> None:
    break_for(tally, "true", state)
    tally.run("--workers=1").ended(
        2, f"etl: worker 1 gave up: no good [{state}]", failed=3, remaining=3, held=3
    )


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("key", "state"), [*((key, "42P01") for key in "adf"), ("a", "XX001"), ("a", "53200")]
)
def test_what_one_item_meets_costs_that_item_alone(
    tally: Tally, key: str, state: str, workers: int
) -> None:
    break_for(tally, f"name = '{key}'", state)
    tally.run(f"--workers={workers}").ended(
        1, f"thing {key} failed: no good [{state}]", done=5, failed=1, held=1
    )


@pytest.mark.parametrize("keys", ["('a', 'd')", "('a', 'b')"], ids=["apart", "side by side"])
def test_two_that_meet_it_fail_alone_too(tally: Tally, keys: str) -> None:
    break_for(tally, f"name IN {keys}", "42501")
    tally.run("--workers=1").ended(1, done=4, failed=2)


def test_those_who_stop_a_cycle_do_not_stop_the_next_one(tally: Tally) -> None:
    break_for(tally, "name <= 'c'", "XX001")
    assert tally.run("--workers=1").status == 2
    tally.run("--workers=1").ended(0, done=3, held=3)


def test_what_breaks_in_the_middle_stops_the_cycle_and_keeps_what_is_done(tally: Tally) -> None:
    break_for(tally, "name >= 'c'", "42501")
    record = tally.run("--workers=1").ended(2, done=2, failed=3, remaining=1).record
    assert "no good [42501]" in record["stop_reason"]


def test_an_item_alone_that_meets_it_is_told_as_everybodys(tally: Tally) -> None:
    break_for(tally, "true", "42501")
    tally.run("--thing=a").ended(2, failed=1, held=0)


def test_a_failure_of_its_own_between_two_is_no_sign_of_a_broken_server(tally: Tally) -> None:
    bad = "IF name = 'c' THEN PERFORM 1 / 0; END IF;"
    break_for(tally, "name IN ('b', 'd')", "42501", bad)
    tally.run("--workers=1").told(done=3, failed=3)


def test_an_item_that_runs_into_its_timeout_between_them_breaks_the_row(tally: Tally) -> None:
    slow = "IF name IN ('b', 'd') THEN PERFORM pg_sleep(3600); END IF;"
    break_for(tally, "name IN ('a', 'c', 'e')", "42501", slow)
    times = 'statement_timeout = "100ms"\nslow_statement_timeout = "200ms"'
    tally.write("job.toml", f'title = "T"\nunit = "thing"\n[defaults]\n{times}')
    tally.run("--workers=1").ended(1, done=1, failed=5)
