"""A bench that is stopped: no session, no folder, and no half of an item is left."""

import os
import signal
from pathlib import Path

import pytest

from etl.db import Connection
from tests.conftest import Etl
from tests.faults.conftest import (
    AS_OF,
    USERS,
    Run,
    Start,
    wait_until_at_gate,
    wait_until_disconnected,
)
from tests.gates import open_gate
from tests.support import dirty


def scratch(environment: dict[str, str]) -> Path:
    return Path(environment["ETL_STATE_DIR"]) / "bench"


@pytest.fixture
def cancellations(gate: Connection, connection: Connection) -> Connection:
    """The gate counts who is cancelled there, in a sequence: no rollback takes that back.

    A session that the server ends because its client is gone is not cancelled.
    """
    connection.execute("CREATE SEQUENCE cancellations")
    connection.execute("GRANT USAGE ON cancellations TO etl_runner")
    connection.execute(
        "CREATE OR REPLACE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql"
        " SET lock_timeout = 0 AS $$ BEGIN"
        " PERFORM pg_advisory_xact_lock_shared(42); RETURN NEW;"
        " EXCEPTION WHEN query_canceled THEN PERFORM nextval('public.cancellations'); RAISE; END $$"
    )
    return gate


@pytest.fixture
def many(connection: Connection, cancellations: Connection) -> None:
    """All workers wait at the gate, but only when there is a second one."""
    connection.execute("DROP TRIGGER wait_at_gate ON dwh.datamart_users")
    connection.execute(
        "CREATE FUNCTION is_second_here() RETURNS boolean LANGUAGE sql AS"
        " $$ SELECT EXISTS (SELECT FROM pg_stat_activity"
        " WHERE application_name LIKE 'etl:bench % w2') $$"
    )
    connection.execute(
        "CREATE TRIGGER wait_at_gate BEFORE INSERT OR UPDATE ON dwh.datamart_users FOR EACH ROW"
        " WHEN (is_second_here()) EXECUTE FUNCTION wait_at_gate()"
    )


@pytest.fixture(params=["one", "many"])
def one_or_many(request: pytest.FixtureRequest) -> None:
    """The worker with which a bench begins waits at the gate, or all of them."""
    if request.param == "many":
        request.getfixturevalue("many")


def assert_cancelled(run: Run, gate: Connection, connection: Connection, number: int) -> None:
    wait_until_at_gate(gate)
    os.kill(run.process.pid, number)
    assert run.ended(128 + number).out == ""
    wait_until_disconnected(connection)
    assert connection.execute("SELECT is_called FROM cancellations").fetchall() == [(True,)]
    assert dirty(connection) == set(USERS)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.usefixtures("one_or_many")
def test_a_signal_cancels_the_workers_and_leaves_nothing(
    start: Start,
    cancellations: Connection,
    connection: Connection,
    environment: dict[str, str],
    number: signal.Signals,
) -> None:
    run = start("datamart-users", "--workers=2", job="bench")
    assert_cancelled(run, cancellations, connection, number)
    assert not scratch(environment).exists()


@pytest.mark.usefixtures("many")
def test_a_killed_bench_leaves_nothing_to_the_next_one(
    start: Start,
    cancellations: Connection,
    connection: Connection,
    environment: dict[str, str],
    etl: Etl,
) -> None:
    run = start("datamart-users", "--workers=2", job="bench")
    wait_until_at_gate(cancellations)
    run.process.kill()
    run.end()
    wait_until_disconnected(connection)
    assert connection.execute("SELECT is_called FROM cancellations").fetchall() == [(True,)]
    assert scratch(environment).exists()
    open_gate(cancellations)
    etl("bench", "datamart-users", AS_OF, "--workers=1").ended(0)
    assert not scratch(environment).exists()
    assert dirty(connection) == set(USERS)


def test_a_lost_connection_is_one_error(start: Start, gate: Connection) -> None:
    run = start("datamart-users", "--workers=1", job="bench")
    pid = wait_until_at_gate(gate)
    gate.execute("SELECT pg_terminate_backend($1)", [pid])
    assert run.ended(69, "the connection was lost").out == ""


def test_a_second_bench_is_refused_while_one_runs(
    start: Start, gate: Connection, etl: Etl, environment: dict[str, str]
) -> None:
    run = start("datamart-users", "--workers=1", job="bench")
    wait_until_at_gate(gate)
    etl("bench", "datamart-users", AS_OF).ended(75, "another bench is running")
    open_gate(gate)
    run.ended(0)
    assert not scratch(environment).exists()
