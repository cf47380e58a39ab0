"""Every query of the hot path reads what its items need, not what exists."""

import itertools
import json
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from psycopg.errors import Diagnostic

from etl import db, ledger
from etl.bench.plan import PlanReads, read_plan
from etl.db import Connection
from etl.model import CycleRecord, Outcome, Result
from etl.queryplan import Node
from etl.queue import FileQueue, OpenClaims
from etl.sqlfile import Statement, shipped
from tests.conftest import shipped_job
from tests.support import DAY, nodes, refresh, user_ids

NOW = f"{DAY}T03:00:00Z"
JOB = "datamart_users"
CLEAN, DIRTY, DUE, HELD = 10_000, 50, 30, 20
OTHER_CYCLES, ATTEMPTS_EACH, OWN_DONE, OWN = 1_000, 100, 600, 700


def explain(connection: Connection, statement: Statement, **values: object) -> PlanReads:
    """What a statement reads; it is run, and rolled back."""
    text = b"EXPLAIN (ANALYZE, BUFFERS, VERBOSE, FORMAT JSON) " + statement.text
    connection.execute("BEGIN")
    (row,) = connection.execute(text, statement.bind(values)).fetchall()
    connection.execute("ROLLBACK")
    return read_plan(Node(row[0][0]["Plan"]))


def rows(reads: PlanReads) -> dict[str, int]:
    return {one.relation: one.rows for one in reads.relations}


@pytest.fixture
def users(connection: Connection) -> None:
    """Many clean users with rows, few dirty ones, few whose rows are due, and held ones."""
    connection.execute(
        "INSERT INTO dwh.dimension_users (username, modified, total_actions, last_action_at)"
        " SELECT 'user' || i, i > $1, i % 200, '2026-01-16'::timestamp - i % 400 * interval '1 day'"
        " FROM generate_series(1, $1 + $2) AS i",
        [CLEAN, DIRTY],
    )
    # The rows of idle users, made by the procedure itself, for all but the dirty.
    connection.execute("INSERT INTO dwh.dimension_users (username) VALUES ('pattern')")
    refresh(connection, user_ids(connection)["pattern"])
    connection.execute("CREATE TEMPORARY TABLE pattern AS SELECT * FROM dwh.datamart_users")
    connection.execute(
        "INSERT INTO dwh.datamart_users SELECT (jsonb_populate_record(p, jsonb_build_object("
        " 'dimension_user_id', u.dimension_user_id, 'next_change_on', CASE"
        "   WHEN u.dimension_user_id <= $1 THEN '2026-01-16'"
        "   WHEN u.dimension_user_id % 2 = 0 THEN '2026-02-01' END))).*"
        " FROM pattern AS p, dwh.dimension_users AS u"
        " WHERE NOT u.modified AND u.username <> 'pattern'",
        [DUE],
    )
    held = (
        "INSERT INTO etl.held_item (job, item_key, attempts, held_until, last_cycle_id,"
        " last_outcome) SELECT $1, i::text, 1, '2026-01-17', 1, 'failed' FROM generate_series"
    )
    connection.execute(f"{held}(1, 5000) AS i".encode(), ["other_job"])
    connection.execute(f"{held}($2::integer, $3) AS i".encode(), [JOB, CLEAN + 1, CLEAN + HELD])
    connection.execute("ANALYZE dwh.dimension_users, dwh.datamart_users, etl.held_item")


@pytest.mark.usefixtures("users")
def test_listing_reads_what_is_dirty_or_due(connection: Connection) -> None:
    job = shipped_job()
    asked: list[tuple[Statement, dict[str, object]]] = [(job.backlog, {})]
    for max_items, reserved_percent in itertools.product((None, 10, 1000), (0, 10, 99)):
        limits: dict[str, object] = {"max_items": max_items, "reserved_percent": reserved_percent}
        asked.append((job.prioritize, limits))
    for statement, values in asked:
        reads = explain(connection, statement, as_of=DAY, now=NOW, **values)
        read = rows(reads)
        assert set(read) == {"dwh.dimension_users", "dwh.datamart_users", "etl.held_item"}
        # Each dirty user once; each due one in its row and, for its activity, among the users.
        assert DIRTY <= read["dwh.dimension_users"] <= DIRTY + DUE, values
        assert DUE <= read["dwh.datamart_users"] <= DUE + DIRTY, values
        assert read["etl.held_item"] <= HELD + DIRTY + DUE, values
        assert reads.temp_blocks == 0


class Nested:
    """Collects the plans of all statements of a session, those inside procedures too."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.plans: list[dict[str, Any]] = []

    def __enter__(self) -> "Nested":
        self._connection.execute("LOAD 'auto_explain'")
        self._connection.execute(
            "SELECT set_config('auto_explain.' || name, value, FALSE) FROM (VALUES"
            " ('log_min_duration', '0'), ('log_analyze', 'on'), ('log_verbose', 'on'),"
            " ('log_nested_statements', 'on'), ('log_format', 'json'), ('log_level', 'notice')"
            ") AS v (name, value)"
        )
        self._connection.add_notice_handler(self._hear)
        return self

    def _hear(self, notice: Diagnostic) -> None:
        _, mark, plan = (notice.message_primary or "").partition("plan:\n")
        if mark:
            self.plans.append(json.loads(plan)["Plan"])

    def __exit__(self, *_: object) -> None:
        self._connection.execute("SET auto_explain.log_min_duration = -1")
        self._connection.remove_notice_handler(self._hear)


@pytest.fixture
def facts(connection: Connection) -> dict[str, int]:
    """Two hundred users of five thousand have a hundred facts each; by index, how many."""
    connection.execute(
        "INSERT INTO dwh.dimension_countries (country_name)"
        " SELECT 'country' || i FROM generate_series(1, 50) AS i"
    )
    connection.execute(
        "INSERT INTO dwh.dimension_users (username) SELECT 'user' || i"
        " FROM generate_series(1, 5000) AS i"
    )
    connection.execute(
        "INSERT INTO dwh.facts (action, note_id, action_at, action_dimension_id_user,"
        " opened_dimension_id_user, dimension_id_country, days_to_resolution)"
        " SELECT a.action, i, '2020-01-01'::timestamp + i * interval '1 hour' + a.days * interval"
        " '1 day', 1 + (i + a.days) % 200, 1 + i % 200, 1 + i % 50, nullif(a.days, 0)"
        " FROM generate_series(1, 10000) AS i,"
        " (VALUES ('opened'::dwh.note_action, 0), ('closed', 3)) AS a (action, days)"
    )
    connection.execute("VACUUM ANALYZE dwh.facts, dwh.dimension_users, dwh.dimension_countries")
    return {"facts_of_user": 100, "facts_closing_notes_of_opener": 50}


def test_a_refresh_reads_the_facts_of_its_user_by_the_covering_indexes(
    connection: Connection, facts: dict[str, int]
) -> None:
    # Ten times: from the sixth on the server may plan for any user instead of this one.
    for user in range(1, 10):
        refresh(connection, user)
    with Nested(connection) as nested:
        refresh(connection, 42)
    assert len(nested.plans) >= 3
    scans = [
        node
        for plan in nested.plans
        for node in nodes(plan)
        if node.get("Relation Name") == "facts"
    ]
    read = {node.get("Index Name"): node["Actual Rows"] * node["Actual Loops"] for node in scans}
    assert read == facts
    assert {node["Node Type"] for node in scans} == {"Index Only Scan"}
    for plan in nested.plans:
        others = rows(read_plan(Node(plan)))
        assert others.get("dwh.dimension_users", 0) <= 1
        assert others.get("dwh.datamart_users", 0) <= 1
        assert set(others) <= {
            "dwh.facts",
            "dwh.dimension_users",
            "dwh.datamart_users",
            "dwh.dimension_countries",
            "dwh.dimension_applications",
        }


@pytest.fixture(params=["analyzed", "never analyzed"])
def cycle_id(connection: Connection, request: pytest.FixtureRequest) -> int:
    """An open cycle, after a thousand others."""
    for table in ("cycle", "attempt", "held_item"):
        connection.execute(f"ALTER TABLE etl.{table} SET (autovacuum_enabled = off)".encode())
    connection.execute(
        "INSERT INTO etl.cycle (job, started_at, finished_at, host, pid, etl_version, as_of,"
        " max_items, workers, stop_reason) SELECT $1, now() - (1 + $2 - i) * interval '1 hour',"
        " now(), 'h', 1, '1', now(), 100, 1, 'drained' FROM generate_series(1, $2) AS i",
        [JOB, OTHER_CYCLES],
    )
    connection.execute(
        "INSERT INTO etl.attempt (cycle_id, item_key, level, worker, outcome, finished_at)"
        " SELECT c.cycle_id, i::text, 1, 1, CASE WHEN i % 10 = 0 THEN 'failed' ELSE 'done' END,"
        " now() FROM etl.cycle AS c, generate_series(1, $1) AS i",
        [ATTEMPTS_EACH],
    )
    for job, number in ((JOB, HELD), ("other_job", 5000)):
        connection.execute(
            "INSERT INTO etl.held_item (job, item_key, attempts, held_until, last_cycle_id,"
            " last_outcome) SELECT $1, i::text, 1, now(), 1, 'failed'"
            " FROM generate_series(1, $2) AS i",
            [job, number],
        )
    if request.param == "analyzed":
        connection.execute("ANALYZE etl.cycle, etl.attempt, etl.held_item")
    (row,) = connection.execute(
        "INSERT INTO etl.cycle (job, started_at, host, pid, etl_version, as_of, max_items, workers)"
        " VALUES ($1, now(), 'h', 1, '1', now(), 100, 1) RETURNING cycle_id",
        [JOB],
    ).fetchall()
    return int(row[0])


def test_closing_a_record_reads_the_attempts_of_its_cycle_and_what_its_job_holds(
    connection: Connection, cycle_id: int, tmp_path: Path
) -> None:
    """Its own attempts, and the held items of its job; each statement reads them once."""
    record = CycleRecord(JOB, datetime.now(UTC), DAY, 1000, cycle_id=cycle_id)
    with closing(FileQueue(tmp_path / "queue")) as queue, Nested(connection) as nested:
        queue.build(["item_key", "level"], [(number, 1) for number in range(1, OWN + 1)])
        while (claim := queue.claim(1)) is not None:
            outcome = Outcome.FAILED if claim.position > OWN_DONE else Outcome.DONE
            queue.acknowledge(1, claim, Result(outcome))
        ledger.close_cycle(connection, queue, record, shipped_job(), OpenClaims(), lambda _: None)
    closed = connection.execute(
        "SELECT finished_at IS NOT NULL FROM etl.cycle WHERE cycle_id = $1", [cycle_id]
    )
    assert closed.fetchall() == [(True,)]
    reads = [rows(read_plan(Node(plan))) for plan in nested.plans]
    attempts = [read["etl.attempt"] for read in reads if "etl.attempt" in read]
    # To see that none are there yet, to release those done and to note how long they took, and
    # to hold those failed.
    assert sorted(attempts) == [0, OWN_DONE, OWN_DONE, OWN]
    assert all(read.get("etl.held_item", 0) <= HELD + OWN - OWN_DONE for read in reads)
    assert all(read.get("etl.cycle", 0) <= 1 for read in reads)


@pytest.mark.parametrize(("keep_days", "cycles"), [(90, 0), (1, 20)])
def test_forgetting_attempts_reads_those_of_few_cycles(
    connection: Connection, cycle_id: int, keep_days: int, cycles: int
) -> None:
    # A year of cycles whose attempts were forgotten long ago.
    connection.execute(
        "INSERT INTO etl.cycle (job, started_at, finished_at, host, pid, etl_version, as_of,"
        " max_items, workers) SELECT $1, now() - i * interval '1 day', now(), 'h', 1, '1', now(),"
        " 100, 1 FROM generate_series(100, 465) AS i",
        [JOB],
    )
    with Nested(connection) as nested:
        values = {"job": JOB, "keep_days": keep_days, "now": datetime.now(UTC)}
        db.run(connection, shipped("ledger/forget_attempts"), **values)
    read = [rows(read_plan(Node(plan))) for plan in nested.plans]
    assert sum(one.get("etl.attempt", 0) for one in read) <= cycles * (ATTEMPTS_EACH + 1) + 1
    assert sum(one.get("etl.cycle", 0) for one in read) <= cycles + 1
    ((left,),) = connection.execute("SELECT count(DISTINCT cycle_id) FROM etl.attempt").fetchall()
    assert left == OTHER_CYCLES - cycles


def test_what_concerns_one_cycle_or_job_reads_nothing_of_the_others(
    connection: Connection, cycle_id: int
) -> None:
    update: dict[str, object] = dict.fromkeys(shipped("ledger/update_cycle").names, 1)
    update |= {"levels": "[]", "waits": "[]", "cycle_id": cycle_id}
    update |= dict.fromkeys(("stop_reason", "finished_at", "waits_for"))
    asked: list[tuple[str, dict[str, object], dict[str, int]]] = [
        ("held/count_held", {"job": JOB, "now": NOW}, {"etl.held_item": HELD}),
        ("ledger/update_cycle", update, {"etl.cycle": 1}),
        ("ledger/unclosed_cycle", {"cycle_id": cycle_id}, {"etl.cycle": 1}),
        ("ledger/close_abandoned_cycles", {"job": JOB, "now": NOW}, {"etl.cycle": 1}),
    ]
    for name, values, expected in asked:
        read = rows(explain(connection, shipped(name), **values))
        assert {relation: count for relation, count in read.items() if count} == expected, name
