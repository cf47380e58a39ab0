"""What every job promises, whatever its items are: tried with each that is shipped.

The middle of its items waits at a gate when it is written, and fails where that is wanted. What
a job has to say for itself is below; the tests know none of them.
"""

import os
import signal
from dataclasses import dataclass

import pytest

from etl import db, folders, job
from etl.db import Connection
from etl.sqlfile import statements
from tests.conftest import Connect, Etl, shipped_jobs
from tests.faults.conftest import AS_OF, Run, Start, kill_whole_cycle, wait_until_disconnected
from tests.faults.sums import wrong_sums
from tests.gates import GATE, open_gate, shut_gate
from tests.support import DAY
from tests.waiting import WAITS_AT_GATE, until_found, until_gone

# Written is a row of this table; the condition finds one of the sample's, in the middle.
WRITES = {
    "datamart_users": ("dwh.datamart_users", "NEW.dimension_user_id = 33"),
    "cache_warm": (
        "cache.warmed",
        "NEW.kind = 'topic' AND NEW.key = 33 AND NEW.dashboard = 'digital'",
    ),
    "counter_caches": ("social.users", "NEW.user_id = 33 AND NEW.following_count > 0"),
    "fix_invoices": ("billing.invoices", "NEW.issued_on = DATE '2020-01-01' + 1100"),
}
SCALE = 60
CASES = [
    *((name, "file") for name in sorted(WRITES)),
    *((name, "postgres") for name in ("datamart_users", "counter_caches")),
]
"""In the database the order is the same for all of them, but of items or of ranges."""


@dataclass
class Case:
    """A job with sample data."""

    name: str
    command: str
    connection: Connection

    def on_write(self, action: str) -> None:
        """Have something done when the one row is written."""
        table, condition = WRITES[self.name]
        self.connection.execute(
            "CREATE OR REPLACE FUNCTION on_write() RETURNS trigger LANGUAGE plpgsql"
            f" SET lock_timeout = 0 AS $$ BEGIN {action} RETURN NEW; END $$".encode()
        )
        self.connection.execute(f"DROP TRIGGER IF EXISTS on_write ON {table}".encode())
        self.connection.execute(
            f"CREATE TRIGGER on_write BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW"
            f" WHEN ({condition}) EXECUTE FUNCTION on_write()".encode()
        )

    def settle(self, etl: Etl) -> None:
        """Do what is left, and see that all is right."""
        self.on_write("")
        etl("held", "release", self.command, "--all")
        etl(self.command, AS_OF, "--json", "--verify").ended(0, failed=0, busy=0, wrong=0)
        assert wrong_sums(self.connection) == []
        assert not self.connection.execute("SELECT FROM etl.held_item").fetchall()


@pytest.fixture(params=CASES, ids="-".join)
def case(
    request: pytest.FixtureRequest, connection: Connection, environment: dict[str, str]
) -> Case:
    """Each job in turn, all of its sample out of date; and the queue of its cycles."""
    name, environment["QUEUE"] = request.param
    folder = folders.sql_folder() / "jobs" / name
    with connection.transaction():
        for statement in statements(folder / "sample.sql"):
            db.run(connection, statement, scale=SCALE, as_of=DAY)
    if name == "fix_invoices":  # those that nobody can repair are its own tests' affair
        connection.execute("UPDATE billing.invoices SET rate = 0.1, fee_cents = -1, tax_cents = -1")
    return Case(name, job.load(folder).command, connection)


@pytest.fixture
def keeper(case: Case, connect_again: Connect) -> Connection:
    """Holds the gate: whoever writes the one row waits."""
    case.on_write(f"PERFORM pg_advisory_xact_lock_shared({GATE});")
    keeper = connect_again()
    shut_gate(keeper)
    return keeper


def wait_at_gate(case: Case, run: Run) -> int:
    """Wait for the write. Returns the process id of its server process."""
    return int(until_found(case.connection, WAITS_AT_GATE, running=run.process)[0][0])


def test_every_shipped_job_is_tried() -> None:
    assert {one.name for one in shipped_jobs() if one.stream is None} == set(WRITES)


def test_a_cycle_makes_all_right(case: Case, etl: Etl) -> None:
    told = (
        etl(case.command, AS_OF, "--json", "--verify")
        .ended(0, stop_reason="drained", wrong=0)
        .record
    )
    assert told["found"] == told["done"] > SCALE / 2
    case.settle(etl)


def test_a_killed_worker_costs_what_it_had_in_hand_an_attempt(
    case: Case, keeper: Connection, start: Start, etl: Etl
) -> None:
    run = start("--workers=1", job=case.command)
    pid = wait_at_gate(case, run)
    (worker,) = run.workers()
    os.kill(worker, signal.SIGKILL)
    until_gone(case.connection, "SELECT FROM pg_stat_activity WHERE pid = $1", [pid], run.process)
    open_gate(keeper)
    told = run.ended(1, failed=0).record
    assert told["orphaned"] > 0
    assert told["found"] == told["done"] + told["orphaned"]
    case.settle(etl)


def test_all_killed_at_once_leave_nothing_to_clean_up(
    case: Case, keeper: Connection, start: Start, etl: Etl
) -> None:
    run = start("--workers=2", job=case.command)
    wait_at_gate(case, run)
    kill_whole_cycle(run)
    run.end()
    open_gate(keeper)
    wait_until_disconnected(case.connection)
    case.on_write("")
    after = etl(case.command, AS_OF, "--json").told(failed=0)
    assert "was cut off" in after.err
    case.settle(etl)


def test_a_server_process_that_is_ended_takes_the_item_with_it_and_nothing_else(
    case: Case, keeper: Connection, start: Start, etl: Etl
) -> None:
    run = start("--workers=1", job=case.command)
    pid = wait_at_gate(case, run)
    open_gate(keeper)
    case.connection.execute("SELECT pg_terminate_backend($1)", [pid])
    ran = run.end()
    assert ran.status in (0, 1), ran.err
    assert ran.record["found"] == ran.record["done"] + ran.record["failed"]
    case.settle(etl)


def test_what_fails_costs_its_own_attempts_only(case: Case, etl: Etl) -> None:
    case.on_write("RAISE EXCEPTION 'poison' USING ERRCODE = 'P0001';")
    told = etl(case.command, AS_OF, "--json", "--workers=2").ended(1, failed=1).record
    assert told["done"] == told["found"] - 1 > SCALE / 2
    held = case.connection.execute("SELECT attempts, last_message FROM etl.held_item").fetchall()
    assert held == [(1, "poison")]
    again = etl(case.command, AS_OF, "--json").record
    assert (again["found"], again["held"]) == (0, 1)  # it is left alone until its time comes
    case.settle(etl)


def test_a_signal_leaves_the_rest_for_the_next_cycle(
    case: Case, keeper: Connection, start: Start, etl: Etl
) -> None:
    run = start("--workers=1", job=case.command)
    wait_at_gate(case, run)
    os.kill(run.process.pid, signal.SIGTERM)
    run.wait_for("SIGTERM: finishing the")
    open_gate(keeper)
    told = run.ended(128 + signal.SIGTERM, stop_reason="stopped", failed=0).record
    assert told["found"] == told["done"] + told["remaining"]
    case.settle(etl)
