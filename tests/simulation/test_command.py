"""etl simulate, compared with SQL written for these tests and with arithmetic by hand."""

from datetime import timedelta
from typing import Any

import pytest

from etl.db import Connection
from etl.freshness import LevelAge
from etl.simulation.past import cohorts, settle
from tests.conftest import READER, Etl, clear, runner
from tests.shapes import shaped
from tests.support import DAY, add_facts, add_users, opened

AS_OF = f"--as-of={DAY}"
# Cycles of the ledger: what each found and left by level, a night after the other.
LEDGER = """
INSERT INTO etl.cycle (
    job, started_at, finished_at, host, pid, etl_version, as_of, max_items, workers,
    found, done, remaining, levels, stop_reason
)
SELECT
    'datamart_users', n.at, n.at + interval '10 s', 'host', 1, '0', $1::date, 30, 1,
    n.first + n.last, 30, n.left_first + n.left_last,
    jsonb_build_array(
        jsonb_build_object('level', 1, 'name', 'critical', 'found', n.first, 'done', n.first,
                           'left', n.left_first),
        jsonb_build_object('level', 6, 'name', 'lowest', 'found', n.last, 'done', 30 - n.first,
                           'left', n.left_last)
    ),
    'limit'
FROM (VALUES
    (timestamptz '2026-01-10 02:00Z', 10, 100, 0, 80),
    (timestamptz '2026-01-11 02:00Z', 20, 90, 0, 80),
    (timestamptz '2026-01-12 02:00Z', 25, 100, 1, 90)
) AS n (at, first, last, left_first, left_last)
"""


def told(etl: Etl, *arguments: str) -> Any:
    ran = etl("simulate", *arguments, "--json")
    assert ran.status == 0, ran.err
    return shaped("simulate", ran.out)


def test_without_a_database_it_is_arithmetic(etl: Etl) -> None:
    value = told(
        etl, "--arrivals=1=10,6=50", "--backlog=6=100", "--cycles=5", "--max-items=40",
        "--item-ms=100", "--workers=2", "--reserved-percent=0", "--dsn=host=/nowhere",
    )  # fmt: skip
    assert [one["backlog"] for one in value["shown"]] == [120, 140, 160, 180, 200]
    assert (value["arrived"], value["done"], value["backlog"]) == (300, 200, 200)
    assert value["gone_in_cycles"] is None
    last, first = value["shown"][-1], value["shown"][0]
    # Ten of level 1 and the thirty newest of level 6: those of the beginning never.
    # Dirty for a day at the beginning, and the fifth cycle is five days later.
    assert last["levels"][1]["left"]["oldest_s"] == 6 * 86_400
    assert first["predicted"] == {"mean_s": pytest.approx(2.0), "p95_s": pytest.approx(2.0)}
    assert last["levels"][0]["waited"] == {"oldest_s": 0.0, "p95_s": 0.0, "p50_s": 0.0}


def test_a_time_limit_admits_what_fits(etl: Etl) -> None:
    value = told(
        etl, "--arrivals=100", "--item-ms=100", "--workers=2", "--time-limit=3s", "--cycles=2"
    )
    assert [(one["done"], one["is_cut_by_time"]) for one in value["shown"]] == [(60, True)] * 2
    assert value["capacity"] == 60


def test_a_thousand_million_users_are_simulated_to_the_last(etl: Etl) -> None:
    value = told(
        etl, "--items=1000000000", "--arrivals=2%", "--max-items=30000000", "--cycles=365",
        "--backlog=1000000000",
    )  # fmt: skip
    assert value["arrived"] + 1_000_000_000 == value["done"] + value["backlog"]
    assert value["is_reached"]
    assert len(value["shown"]) == 12


def test_arrivals_are_what_was_found_and_not_left_before(connection: Connection, etl: Etl) -> None:
    connection.execute(LEDGER.encode(), [DAY])
    value = told(etl, "datamart-users", AS_OF, "--cycles=4", "--max-items=30")
    # From the first to the third: 20 - 0 and 25 - 0 came into level 1; 90 - 80, 100 - 80 into 6.
    assert value["learned_from"] == 2
    assert value["arrivals_per_cycle"] == pytest.approx((20 + 25 + 10 + 20) / 2)
    first = {one["level"]: one["arrived"] for one in value["shown"][1]["levels"]}
    assert (first[1], first[6], first[3]) == (45, 30, 0)
    halved = told(etl, "datamart-users", AS_OF, "--every=12h", "--times=4", "--max-items=30")
    assert halved["arrivals_per_cycle"] == pytest.approx(37.5 / 2 * 4)


def test_the_backlog_is_the_one_of_the_database(connection: Connection, etl: Etl) -> None:
    add_users(connection, *(f"user{number}" for number in range(30)))
    add_facts(connection, [opened(number, "2026-01-10 10:00", f"user{number}") for number in
                           range(10)])  # fmt: skip
    connection.execute(
        "UPDATE dwh.dimension_users SET dirty_since = now() - interval '3 days' + interval '1 h'"
    )
    value = told(etl, "datamart-users", AS_OF, "--arrivals=0", "--max-items=1", "--cycles=1")
    assert value["backlog_before"] == 30
    (one,) = value["shown"]
    assert {n["level"]: n["backlog"] for n in one["levels"] if n["backlog"]} == {1: 9, 6: 20}
    # As old as the oldest at p50 as well, the younger half counts half as old.
    assert one["levels"][5]["left"]["oldest_s"] == 4 * 86_400


def test_costs_are_those_of_the_history(connection: Connection, etl: Etl) -> None:
    add_users(connection, *(f"user{number}" for number in range(20)))
    assert etl("datamart-users", AS_OF).status == 0
    (mean_s,) = connection.execute(
        "SELECT avg(duration_ms)::float / 1000 FROM etl.attempt WHERE level = 6"
    ).fetchall()[0]
    (wall_s,) = connection.execute(
        "SELECT extract(epoch FROM finished_at - started_at)::float FROM etl.cycle"
    ).fetchall()[0]
    value = told(etl, "datamart-users", AS_OF, "--arrivals=20", "--workers=1", "--cycles=1")
    # One cycle of the past tells what a cycle takes beside its items.
    assert value["longest_s"] == pytest.approx(max(wall_s, 20 * mean_s), rel=1e-6)


def test_the_text_says_when_the_backlog_is_gone(connection: Connection, etl: Etl) -> None:
    connection.execute(LEDGER.encode(), [DAY])
    ran = etl("simulate", "datamart-users", AS_OF, "--max-items=20", "--cycles=20")
    assert ran.status == 0
    assert ran.out.startswith(
        "User datamarts, simulated: 20 cycles, one every 24 h, at most 20 users a cycle, "
    )
    assert "37.5 users become dirty from one cycle to the next" in ran.out
    assert "backlog: never gone at these settings: a cycle can do 20 users" in ran.out
    assert "1 critical" in ran.out
    enough = etl("simulate", "datamart-users", AS_OF, "--max-items=40", "--cycles=20")
    assert "backlog: gone after 1 cycle" in enough.out


def test_a_job_without_a_past_tells_no_arrivals(etl: Etl) -> None:
    ran = etl("simulate", "datamart-users")
    assert ran.status == 2
    assert "nobody knows how many items become dirty" in ran.err


def test_a_reader_may_simulate(connection: Connection, etl: Etl, dsn: str) -> None:
    connection.execute(LEDGER.encode(), [DAY])
    ran = etl("simulate", "datamart-users", AS_OF, f"--dsn={dsn} user={READER}")
    assert ran.status == 0, ran.err


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "nobody knows how many items become dirty"),
        (["no-such-job"], "there is no job no-such-job"),
        (["--arrivals=x"], "--arrivals must be a count"),
        (["--arrivals=1=2,1=3"], "--arrivals must be a count"),
        (["--arrivals=2,1=3"], "--arrivals must be a count"),
        (["--arrivals=0=3"], "--arrivals must be a count"),
        (["--arrivals=1%"], "is a share of unknown size"),
        (["--arrivals=5", "--items=1000000001"], "--items is 1,000,000,000 at most"),
        (["--arrivals=5", "--items=none"], "--items must be a whole number"),
        (["--arrivals=50", "--items=5"], "more items become dirty a cycle than exist"),
        (["--arrivals=5", "--items=5", "--backlog=6"], "more items are dirty than exist"),
        (["--arrivals=5", "--time-limit=5s"], "nobody knows how many items fit"),
        (["--arrivals=5", "--every=0s"], "--every must be a duration"),
        (["--arrivals=5", "--item-ms=nan"], "nan is no number"),
        (["--arrivals=5", "--item-ms=1e308"], "is not in the range"),
        (["--arrivals=5", "--item-ms=-1"], "is not in the range"),
        (["--arrivals=5", "--workers=1000"], "1,000 workers are too many for one host"),
    ],
)
def test_bad_input_is_one_clear_error(
    environment: dict[str, str], arguments: list[str], problem: str
) -> None:
    ran = runner(environment)("simulate", *arguments)
    assert clear(ran, 2, problem)
    assert ran.out == ""


def test_who_moves_to_another_level_did_not_come_in() -> None:
    assert settle({1: -10, 2: 20, 3: 30}) == {1: 0, 2: 16, 3: 24}
    assert settle({1: -10, 2: 5}) == {1: 0, 2: 0}
    assert settle({1: 4}) == {1: 4}


def test_quantiles_become_cohorts() -> None:
    day = timedelta(days=1).total_seconds()
    level = LevelAge(1, "one", 100, 9 * day, 5 * day, 2 * day, None)
    assert cohorts(level, day) == ((1, 50), (2, 45), (5, 4), (9, 1))
    assert cohorts(LevelAge(1, "one", 3, 9 * day, None, None, None), day) == ((9, 3),)
    assert cohorts(LevelAge(1, "one", 0, None, None, None, None), day) == ()
