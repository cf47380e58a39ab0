"""`etl bench`: what it measures adds up, and nothing is left of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from etl.db import Connection
from tests.conftest import READER, Connect, Etl, Ran, clear
from tests.support import DAY, add_facts, add_users, contents, opened
from tests.tally import Tally

USERS = [f"user{number}" for number in range(30)]
AS_OF = f"--as-of={DAY}"


@pytest.fixture
def warehouse(connection: Connection) -> Connection:
    """Thirty dirty users of one fact each."""
    add_users(connection, *USERS)
    add_facts(connection, [opened(i + 1, "2026-01-15", name) for i, name in enumerate(USERS)])
    return connection


class Bench(Tally):
    """The tally job under the bench."""

    def measure(self, *arguments: str) -> Ran:
        """Measure it with one worker."""
        jobs = str(self.folder.parent)
        return self._etl("bench", "tally", "--workers=1", *arguments, ETL_JOBS_DIR=jobs)

    def report(self, *arguments: str, status: int = 0) -> dict[str, Any]:
        """Measure it; what ``--json`` prints."""
        ran = self.measure("--json", *arguments)
        assert ran.status == status, ran.err
        return dict(json.loads(ran.out))


@pytest.fixture
def bench(tmp_path: Path, etl: Etl, connection: Connection) -> Bench:
    return Bench(tmp_path / "jobs" / "tally", etl, connection)


def sessions(connection: Connection) -> int:
    return connection.execute(
        "SELECT FROM pg_stat_activity WHERE application_name LIKE 'etl:bench%'"
        " AND datname = current_database()"
    ).rowcount


def one_error(ran: Ran, *words: str) -> None:
    """It ended with one clear error, and printed no half report."""
    assert clear(ran, 2, *words)
    assert ran.out == ""


def test_all_is_measured_and_nothing_is_changed(
    warehouse: Connection, etl: Etl, environment: dict[str, str]
) -> None:
    before = contents(warehouse)
    ran = etl("bench", "datamart-users", AS_OF, "--items=20", "--workers=3", "--json")
    assert ran.status == 0, ran.err
    assert contents(warehouse) == before
    assert sessions(warehouse) == 0
    assert not (Path(environment["ETL_STATE_DIR"]) / "bench").exists()

    report = json.loads(ran.out)
    listing, one = report["listing"], report["one_worker"]
    assert (listing["found"], listing["listed"], listing["held"]) == (30, 30, 0)
    assert listing["in_proportion"]
    assert listing["rows_read"] == sum(one["rows"] for one in listing["reads"]["relations"])
    assert listing["rows_read"] >= 30
    assert report["outcomes"] == {"done": 20, "failed": 0, "busy": 0, "failure": ""}
    assert 0 < one["engine_share"] < 1
    assert one["statement"]["median_s"] <= one["statement"]["p95_s"] <= one["statement"]["max_s"]
    means = {name: one[name]["mean_s"] for name in ("statement", "engine", "bare")}
    ratio = means["bare"] / (means["statement"] + means["engine"])
    assert one["ratio"] == pytest.approx(ratio, abs=0.001)
    assert [run["workers"] for run in report["runs"]] == [1, 2, 3]
    for run in report["runs"]:
        assert run["outcomes"] == report["outcomes"]
        assert 0 < run["evenness"] <= 1
        assert run["items_per_s"] == pytest.approx(20 / run["makespan_s"], abs=0.1)
        assert sum(run["backends"].values()) == pytest.approx(1, abs=0.001)
    assert report["limit"]["resource"]
    assert not report["is_over"]
    assert report["running_cycle"] is None


def test_the_text_names_the_figures_and_what_they_do_not_show(
    warehouse: Connection, etl: Etl
) -> None:
    ran = etl("bench", "datamart-users", AS_OF)
    for words in (
        "30 users dirty",
        "dwh.dimension_users",
        "in proportion to the backlog",
        "one worker: 30 done",
        "of the speed of the bare statements",
        "users/s",
        "limit: ",
        "Not in these figures: what a COMMIT costs",
    ):
        assert words in ran.out, ran.err


def test_an_item_that_somebody_holds_is_busy(
    warehouse: Connection, etl: Etl, connect_again: Connect
) -> None:
    rival = connect_again()
    rival.execute("BEGIN")
    rival.execute("UPDATE dwh.dimension_users SET modified = TRUE WHERE username = 'user7'")
    ran = etl("bench", "datamart-users", AS_OF, "--workers=1", "--json")
    report = json.loads(ran.out)
    told = {"done": 29, "failed": 0, "busy": 1, "failure": ""}
    assert (ran.status, report["outcomes"], report["runs"][0]["outcomes"]) == (0, told, told)


def test_a_running_cycle_is_told(warehouse: Connection, etl: Etl, connect_again: Connect) -> None:
    connect_again().execute(
        "SELECT pg_advisory_lock(hashtextextended('etl cycle datamart-users', 0))"
    )
    ran = etl("bench", "datamart-users", AS_OF, "--items=1", "--workers=1")
    assert ran.status == 0, ran.err
    assert "A cycle is running now (server process " in ran.out


def test_without_dirty_items_there_is_only_the_listing(bench: Bench) -> None:
    ran = bench.measure()
    assert ran.status == 0, ran.err
    assert "No thing is dirty: there is nothing more to measure." in ran.out
    assert "one worker" not in ran.out
    report = bench.report()
    assert (report["one_worker"], report["runs"], report["limit"]) == (None, [], None)
    assert report["listing"]["found"] == 0


def test_a_table_that_is_read_as_a_whole_is_named(bench: Bench) -> None:
    bench.connection.execute(
        "INSERT INTO thing (key, dirty) SELECT i, i % 2000 = 0 FROM generate_series(1, 20000) AS i"
    )
    ran = bench.measure()
    assert "public.thing is read beyond the backlog: 20,000 rows by a sequential scan" in ran.out
    assert "19,990 of them for nothing" in ran.out
    listing = bench.report()["listing"]
    assert (listing["in_proportion"], listing["read_beyond"]) == (False, ["public.thing"])
    assert listing["rows_an_item"] == 2000


def test_a_row_that_all_items_share_is_told_as_locks(bench: Bench) -> None:
    connection = bench.connection
    connection.execute("CREATE TABLE total AS SELECT 0 AS things")
    connection.execute("GRANT SELECT, UPDATE ON total TO etl_runner")
    connection.execute(
        "CREATE PROCEDURE add_up() LANGUAGE plpgsql AS"
        " $$ BEGIN UPDATE public.total SET things = things + 1; PERFORM pg_sleep(0.03); END $$"
    )
    bench.write("process.sql", "CALL add_up()")
    bench.add(*(f"key{number}" for number in range(20)))
    report = bench.report("--workers=4")
    assert [run["outcomes"]["done"] for run in report["runs"]] == [20, 20, 20]
    assert report["limit"]["resource"] == "locks"
    assert report["limit"]["event"] in ("Lock transactionid", "Lock tuple")


@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
def test_a_statement_that_ends_transactions_is_one_error(bench: Bench, end: str) -> None:
    connection = bench.connection
    body = f"BEGIN UPDATE thing SET dirty = FALSE; {end}; END"
    connection.execute(f"CREATE PROCEDURE settle() LANGUAGE plpgsql AS $$ {body} $$".encode())
    bench.write("process.sql", "CALL settle()")
    bench.add("a", "b")
    before = contents(connection)
    one_error(bench.measure(), "process.sql: the statement ends transactions itself", "[2D000]")
    assert contents(connection) == before


@pytest.mark.parametrize("statement", ["VACUUM thing", "COMMIT"])
def test_a_statement_that_refuses_a_transaction_is_one_error(bench: Bench, statement: str) -> None:
    bench.write("process.sql", statement)
    bench.add("a")
    one_error(bench.measure(), "ends transactions itself, or cannot run inside one")


def test_failures_are_counted_and_told_with_their_reason(bench: Bench) -> None:
    bench.write("process.sql", "SELECT 1 / (length(CAST(:'item_key' AS text)) - 2)")
    bench.add("a", "bb", "ccc")
    report = bench.report(status=1)
    told = {"done": 2, "failed": 1, "busy": 0, "failure": "division by zero [22012]"}
    assert report["outcomes"] == report["runs"][0]["outcomes"] == told
    assert bench.connection.execute("SELECT FROM etl.held_item").rowcount == 0


def test_where_all_fail_there_is_nothing_to_measure(bench: Bench) -> None:
    bench.write("process.sql", "SELECT 1 / (length(CAST(:'item_key' AS text)) * 0)")
    bench.add("a", "b")
    ran = bench.measure()
    assert ran.status == 1
    assert "one worker: 0 done, 2 failed: division by zero [22012]; no thing was done" in ran.out


def test_what_every_item_would_meet_is_one_error(bench: Bench) -> None:
    bench.connection.execute("REVOKE UPDATE ON thing FROM etl_runner")
    bench.add("a")
    one_error(bench.measure(), "permission denied for table thing [42501]")


def test_a_reader_may_not_measure(warehouse: Connection, etl: Etl, dsn: str) -> None:
    ran = etl("bench", "datamart-users", AS_OF, ETL_DSN=f"{dsn} user={READER}")
    one_error(ran, "permission denied", "[42501]")


def test_a_listing_that_takes_longer_than_the_time_limit_is_told_as_that(bench: Bench) -> None:
    bench.write("backlog.sql", "SELECT 1 AS level, 1 AS items FROM pg_sleep(10)")
    told = "the listing alone takes longer than the time limit", "--time-limit"
    one_error(bench.measure("--time-limit=1s"), *told)


def test_a_list_with_a_bad_row_is_one_error(bench: Bench) -> None:
    bench.add("a")
    bench.write("prioritize.sql", "SELECT NULL::text AS item_key, 1 AS level, 1 AS tags")
    one_error(bench.measure(), "prioritize.sql: returned the item_key None")


def test_the_time_limit_leaves_out_what_does_not_fit(bench: Bench) -> None:
    bench.write("process.sql", "SELECT pg_sleep(0.1), :'item_key'")
    bench.add(*(f"key{number}" for number in range(200)))
    report = bench.report("--time-limit=8s")
    assert report["is_over"]
    for run in (report, *report["runs"]):
        assert 0 < run["outcomes"]["done"] < 200


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no-such-job"], "there is no job no-such-job"),
        (["datamart-users", "--items=0"], "--items"),
        (["datamart-users", "--workers=0"], "--workers"),
        (["datamart-users", "--time-limit=soon"], "--time-limit must be a duration"),
    ],
)
def test_wrong_arguments_are_one_error(etl: Etl, arguments: list[str], words: str) -> None:
    one_error(etl("bench", *arguments), words)


def test_an_unreachable_database_has_its_exit_status(etl: Etl) -> None:
    ran = etl("bench", "datamart-users", ETL_DSN="host=127.0.0.1 port=1")
    assert (ran.status, ran.out) == (69, "")
