"""A job that nobody has seen before: the engine knows none, and takes any key and any mistake."""

import json
import os
import signal

import pytest

from tests.faults.conftest import Run
from tests.tally import Tally
from tests.waiting import until_found


def test_workers_are_added_as_long_as_they_bring_something(tally: Tally) -> None:
    tally.work("PERFORM pg_sleep(0.02); UPDATE thing SET dirty = FALSE WHERE key = name;")
    tally.connection.execute("INSERT INTO thing (key) SELECT generate_series(1, 1500)::text")
    ran = tally.run("--workers=auto", "--max-things=2000", "--log-format=json").ended(0, done=1500)
    assert ran.record["workers"] > max(1, (os.cpu_count() or 1) - 1)
    told = [json.loads(line) for line in ran.err.splitlines() if line.startswith("{")]
    workers = {line["worker"] for line in told if line["event"] == "ItemAttempted"}
    assert len(workers) >= 3


def test_nothing_dirty_is_all_right_whatever_columns_the_job_has(tally: Tally) -> None:
    tally.run().ended(0, stop_reason="drained")


@pytest.mark.parametrize(
    "counts",
    ["SELECT 1 AS level, 1 AS items, now() WHERE FALSE", "SELECT 7 AS level, 1 AS items, now()"],
)
def test_the_sums_hold_also_where_the_backlog_is_counted_wrong(tally: Tally, counts: str) -> None:
    tally.add("a", "b", "c")
    tally.write("backlog.sql", counts)
    record = tally.run().told(done=3).record
    assert record["found"] == record["claimed"] + record["remaining"]
    assert all(level["found"] >= level["done"] for level in record["levels"])


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT key AS item_key, NULL::integer AS level FROM thing", "with the level None"),
        ("SELECT key AS item_key, 'high' AS level FROM thing", "with the level 'high'"),
        ("SELECT key AS item_key, 0 AS level FROM thing", "with the level '0'"),
        ("SELECT NULL AS item_key, 1 AS level FROM thing", "returned the item_key None"),
        (
            "SELECT key AS item_key, level FROM thing CROSS JOIN generate_series(1, 2) ORDER BY 1",
            "returned the item_key 'a' twice",
        ),
        ("SELECT key AS item FROM thing", "must return item_key and level"),
        ("SELECT key AS item_key, 1 AS level FROM thing LIMIT :many", "unknown variable :many"),
    ],
)
def test_a_wrong_prioritization_is_one_clear_error(tally: Tally, query: str, said: str) -> None:
    tally.add("a")
    tally.write("process.sql", "SELECT CAST(:'item_key' AS text)")
    tally.write("prioritize.sql", query)
    tally.run().ended(2, said)
    assert tally.connection.execute("SELECT FROM etl.cycle WHERE finished_at IS NULL").rowcount == 0


def test_a_backlog_without_its_columns_is_one_clear_error(tally: Tally) -> None:
    tally.write("backlog.sql", "SELECT 1, 2")
    tally.run().ended(2, "must return level, items and oldest_dirty_at")


def test_a_process_statement_with_an_unknown_variable_is_refused_before_any_work(
    tally: Tally,
) -> None:
    tally.add("a")
    tally.write("process.sql", "SELECT :item_key,\n  :nothing")
    tally.run().ended(2, f"{tally.folder}/process.sql:2: unknown variable :nothing")


def test_a_signal_ends_a_long_prioritization(
    tally: Tally, environment: dict[str, str], dsn: str
) -> None:
    tally.add("a")
    tally.write(
        "prioritize.sql",
        "SELECT key AS item_key, level FROM thing, pg_sleep(3600) LIMIT :max_items",
    )
    jobs = str(tally.folder.parent)
    run = Run({**environment, "ETL_DSN": dsn, "ETL_JOBS_DIR": jobs}, "tally")
    sleeping = "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = $1"
    until_found(tally.connection, sleeping, [tally.connection.info.dbname], running=run.process)
    run.process.terminate()
    run.ended(128 + signal.SIGTERM, found=1, remaining=1, stop_reason="stopped")


def test_a_key_that_is_no_text_is_a_usage_error(tally: Tally) -> None:
    tally.run(os.fsdecode(b"--thing=a\xffb")).ended(2, "is not UTF-8")
