"""Statements that a client of its own kind of protocol could hang on, or fail every item for."""

import pytest

from tests.faults.conftest import Start
from tests.faults.test_two_in_hand import (
    ALL,
    FIRST,
    Keeper,
    begin,
    gated,
    wait_until_two_in_hand,
)
from tests.gates import open_gate
from tests.tally import Tally

__all__ = ["gated"]


@pytest.mark.parametrize("copy", ["COPY thing (key) FROM STDIN", "COPY thing TO STDOUT"])
def test_a_copy_that_waits_for_its_client_is_one_error(tally: Tally, copy: str) -> None:
    tally.connection.execute("GRANT INSERT ON thing TO etl_runner")
    tally.write("process.sql", copy)
    tally.add("a", "b")
    ran = tally.run("--workers=1").ended(
        2, f"worker 1 gave up: {tally.folder}/process.sql:1: copies rows from or to", done=0
    )
    assert ran.err.count("etl: ") == 1


def test_large_items_with_large_answers_do_not_wait_for_each_other(tally: Tally) -> None:
    """The client sends what no buffer holds, while the server answers with as much."""
    tally.connection.execute("ALTER TABLE thing ADD text text")
    tally.write(
        "prioritize.sql",
        "SELECT t.key AS item_key, t.level, t.text FROM thing AS t WHERE t.dirty"
        " ORDER BY t.key LIMIT :max_items",
    )
    tally.write(
        "process.sql",
        "UPDATE thing SET dirty = FALSE WHERE key = :'item_key' RETURNING repeat(:'text', 2)",
    )
    times = 'statement_timeout = "1s"\nslow_statement_timeout = "1s"'
    tally.write("job.toml", f'title = "T"\nunit = "thing"\n[defaults]\n{times}')
    tally.add(*ALL)
    tally.connection.execute(
        "UPDATE thing SET text = repeat('x', CASE WHEN key < $1 THEN 1 ELSE 1000000 END)", [FIRST]
    )
    tally.run("--workers=1").ended(0, done=len(ALL))


def test_notices_are_not_sent_and_warnings_are(tally: Tally) -> None:
    """The warning that another session has crashed tells a worker that its item is not to blame."""
    tally.connection.execute("ALTER ROLE nightly SET client_min_messages = 'error'")
    tally.write(
        "process.sql",
        "UPDATE thing SET dirty = FALSE, seen = ARRAY[current_setting('client_min_messages')]"
        " WHERE key = :'item_key'",
    )
    tally.add("a")
    try:
        assert tally.run().status == 0
    finally:
        tally.connection.execute("ALTER ROLE nightly RESET client_min_messages")
    assert tally.connection.execute("SELECT seen FROM thing").fetchall() == [(["warning"],)]


def test_a_function_that_returns_something_else_meanwhile_does_not_fail_the_backlog(
    start: Start, gated: Keeper, tally: Tally
) -> None:
    keeper = gated(FIRST)
    make = (
        "CREATE FUNCTION answer(name text) RETURNS {} LANGUAGE plpgsql"
        " AS $$ BEGIN PERFORM work(name); RETURN 1; END $$"
    )
    tally.write("process.sql", "SELECT answer(:'item_key')")
    tally.connection.execute(make.format("integer").encode())
    run = begin(start, tally)
    wait_until_two_in_hand(tally, keeper)
    with tally.connection.transaction():
        tally.connection.execute("DROP FUNCTION answer")
        tally.connection.execute(make.format("bigint").encode())
    open_gate(keeper)
    said = "gave up: cached plan must not change result type [0A000]"
    run.ended(2, said, done=11, failed=3, orphaned=0, remaining=len(ALL) - 14)
