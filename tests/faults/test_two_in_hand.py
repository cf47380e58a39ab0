"""Where items are quick, a worker has the next ones in hand while the first still runs.

Only the first can have been the cause of what happens; the others were not begun.
"""

import os
import signal
from collections.abc import Callable

import pytest

from etl.db import Connection
from tests.conftest import Connect, Etl
from tests.faults.conftest import (
    Run,
    Start,
    kill_whole_cycle,
    wait_until_at_gate,
    wait_until_disconnected,
    wait_until_gone,
)
from tests.gates import GATE, open_gate, shut_gate
from tests.tally import Tally
from tests.waiting import WAITS_AT_GATE, until

ALL = [f"t{number:03}" for number in range(100)]
FIRST, SECOND = ALL[10:12]
Keeper = Callable[..., Connection]


@pytest.fixture
def gated(tally: Tally, connect_again: Connect) -> Keeper:
    """Things of which some wait at a gate. Returns who holds the gate."""

    def make(*waiting: str, before: str = "") -> Connection:
        names = ", ".join(f"'{name}'" for name in waiting)
        tally.work(
            f"{before}"
            f" IF name IN ({names}) THEN PERFORM pg_advisory_xact_lock_shared({GATE}); END IF;"
            " UPDATE thing SET dirty = FALSE WHERE key = name;"
        )
        tally.add(*ALL)
        keeper = connect_again()
        shut_gate(keeper)
        return keeper

    return make


def begin(start: Start, tally: Tally) -> Run:
    return start("--workers=1", job="tally", ETL_JOBS_DIR=str(tally.folder.parent))


def wait_until_two_in_hand(tally: Tally, keeper: Connection) -> int:
    """Wait for FIRST at the gate and SECOND behind it. Returns the id of the server process."""
    backend = wait_until_at_gate(keeper)
    (journal,) = (tally.folder.parents[1] / "state").glob("cycles/*/tally/cycle-*/journal.tsv")

    def are_in_hand() -> bool:
        told = journal.read_text()
        return f"\t{SECOND}\n" in told and told.count("\tdone\t") >= 10

    until(are_in_hand)
    return backend


def attempts(tally: Tally, *keys: str) -> list[tuple[str, str]]:
    return tally.connection.execute(
        "SELECT item_key, outcome FROM etl.attempt WHERE item_key = ANY ($1)"
        " ORDER BY finished_at, item_key",
        [list(keys)],
    ).fetchall()


def test_the_second_one_is_claimed_while_the_first_runs(
    start: Start, gated: Keeper, tally: Tally
) -> None:
    keeper = gated(FIRST)
    run = begin(start, tally)
    wait_until_two_in_hand(tally, keeper)
    open_gate(keeper)
    run.ended(0, done=len(ALL))
    assert attempts(tally, FIRST, SECOND) == [(FIRST, "done"), (SECOND, "done")]


@pytest.mark.parametrize(("outcome", "other"), [("orphaned", "failed"), ("failed", "orphaned")])
def test_a_killed_worker_or_an_ended_session_costs_only_the_first_an_attempt(
    start: Start, gated: Keeper, tally: Tally, outcome: str, other: str
) -> None:
    keeper = gated(FIRST)
    run = begin(start, tally)
    backend = wait_until_two_in_hand(tally, keeper)
    if outcome == "orphaned":
        (worker,) = run.workers()
        os.kill(worker, signal.SIGKILL)
    else:
        tally.connection.execute("SELECT pg_terminate_backend($1)", [backend])
    run.ended(1, done=len(ALL) - 1, remaining=0, **{outcome: 1, other: 0})
    assert sorted(attempts(tally, FIRST, SECOND)) == [(FIRST, outcome), (SECOND, "done")]
    # A dead worker's session was ended first: else the server would have done the second as well.
    assert tally.connection.execute(WAITS_AT_GATE.encode()).rowcount == 0


def test_a_second_signal_gives_all_back(
    start: Start, gated: Keeper, tally: Tally, etl: Etl
) -> None:
    keeper = gated(*ALL[10:])
    run = begin(start, tally)
    wait_until_two_in_hand(tally, keeper)
    os.kill(run.process.pid, signal.SIGTERM)
    run.wait_for("finishing")
    os.kill(run.process.pid, signal.SIGTERM)
    run.ended(128 + signal.SIGTERM, done=10, failed=0, orphaned=0, remaining=90)
    open_gate(keeper)
    tally.run("--max-things=1000").told(done=90)


def test_the_next_cycle_counts_only_the_first_where_all_died(
    start: Start, gated: Keeper, tally: Tally
) -> None:
    keeper = gated(FIRST)
    run = begin(start, tally)
    wait_until_two_in_hand(tally, keeper)
    (worker,) = kill_whole_cycle(run)
    wait_until_gone(worker)
    tally.connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name ~ '^etl:'"
    )
    wait_until_disconnected(tally.connection)
    open_gate(keeper)
    assert tally.run("--max-things=1000").status == 0
    first = "SELECT done, orphaned, stop_reason FROM etl.cycle ORDER BY cycle_id LIMIT 1"
    assert tally.connection.execute(first).fetchall() == [(10, 1, "crashed")]
    assert sorted(attempts(tally, FIRST, SECOND)) == [(FIRST, "orphaned"), (SECOND, "done")]


def test_what_the_server_still_runs_for_a_dead_cycle_ends_before_the_next_one_begins(
    start: Start, gated: Keeper, tally: Tally
) -> None:
    keeper = gated(FIRST)
    jobs = {"job": "tally", "ETL_JOBS_DIR": str(tally.folder.parent)}
    killed = start(f"--thing={FIRST}", **jobs)
    before = wait_until_at_gate(keeper)
    kill_whole_cycle(killed)
    run = start(f"--thing={FIRST}", **jobs)

    def others() -> list[object]:
        found = [pid for (pid,) in keeper.execute(WAITS_AT_GATE.encode()).fetchall()]
        return [] if found == [before] else found

    assert len(until(others, run.process)) == 1  # never both of them
    open_gate(keeper)
    run.ended(0, done=1)


def test_one_that_is_too_slow_does_not_fail_the_one_behind_it(
    start: Start, gated: Keeper, tally: Tally
) -> None:
    keeper = gated(FIRST)
    tally.write(
        "job.toml",
        'title = "Tally"\nunit = "thing"\n[defaults]\n'
        'statement_timeout = "300ms"\nslow_statement_timeout = "10min"',
    )
    run = begin(start, tally)
    run.wait_for(f"thing {FIRST} comes again at the end of the cycle")
    open_gate(keeper)
    run.ended(0, done=len(ALL))
    assert attempts(tally, FIRST, SECOND, ALL[-1])[-1] == (FIRST, "done")


def test_one_that_is_tried_again_at_once_waits_for_the_one_behind_it(
    start: Start, gated: Keeper, tally: Tally
) -> None:
    tally.connection.execute("CREATE SEQUENCE try")
    tally.connection.execute("GRANT USAGE ON SEQUENCE try TO etl_runner")
    gated(
        "nobody",
        before=f"IF name = '{FIRST}' AND nextval('try') < 3 THEN"
        " RAISE EXCEPTION 'not now' USING ERRCODE = '40001'; END IF;",
    )
    begin(start, tally).ended(0, done=len(ALL))
    assert sorted(attempts(tally, FIRST, SECOND)) == [(FIRST, "done"), (SECOND, "done")]


def test_failures_do_not_touch_the_items_behind_them(
    start: Start, gated: Keeper, tally: Tally
) -> None:
    gated("nobody", before="IF right(name, 1) = '7' THEN RAISE EXCEPTION 'odd'; END IF;")
    begin(start, tally).ended(1, done=len(ALL) - 10, failed=10, orphaned=0, remaining=0)
    failed = tally.connection.execute(
        "SELECT item_key FROM etl.attempt WHERE outcome = 'failed' ORDER BY item_key"
    ).fetchall()
    assert failed == [(f"t0{tens}7",) for tens in range(10)]
