"""What is not an item's fault: settings, privileges, folders. Nobody is held for it."""

import sys
from pathlib import Path

import psycopg
import pytest

from etl.db import Connection
from tests.conftest import Address, Etl, run_program, runner
from tests.faults.conftest import (
    AS_OF,
    USERS,
    Run,
    Start,
    kill_whole_cycle,
    wait_until_disconnected,
)
from tests.support import add_facts, add_users, dirty, opened


@pytest.fixture
def six(connection: Connection) -> Connection:
    add_users(connection, *USERS)
    add_facts(connection, [opened(i, "2026-01-15", name) for i, name in enumerate(USERS, 1)])
    return connection


def test_nothing_is_imported_from_the_current_folder(
    six: Connection, environment: dict[str, str], dsn: str, tmp_path: Path
) -> None:
    (tmp_path / "psycopg.py").write_text("raise SystemExit('hijacked')\n")
    (tmp_path / "etl").mkdir()
    program = Path(sys.executable).with_name("etl")
    known = {**environment, "ETL_DSN": dsn}
    run_program(program, "datamart-users", AS_OF, cwd=tmp_path, env=known).ended(0)
    assert dirty(six) == set()


@pytest.mark.parametrize(
    "settings",
    [
        {"PGDATESTYLE": "SQL, DMY"},
        {"PGOPTIONS": "-c datestyle=German -c intervalstyle=iso_8601 -c timezone=Asia/Tokyo"},
        {"PGCLIENTENCODING": "LATIN1"},
        {"PGOPTIONS": "-c default_transaction_isolation=serializable -c search_path=pg_catalog"},
        {"PGTZ": "America/Bogota"},
    ],
    ids=["date style", "options", "encoding", "serializable", "time zone"],
)
def test_settings_of_the_session_change_nothing(
    six: Connection, etl: Etl, settings: dict[str, str]
) -> None:
    etl("datamart-users", AS_OF, "--workers=2", "--json", **settings).ended(0, done=6)
    assert etl("verify", "datamart-users", AS_OF, **settings).status == 0
    assert etl("sql", "list", **settings).status == 0


def test_a_database_that_is_not_utf8_is_refused(
    server_address: Address, environment: dict[str, str]
) -> None:
    with psycopg.connect(server_address.dsn(), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS old")
        connection.execute("CREATE DATABASE old ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
        ran = runner({**environment, "ETL_DSN": server_address.dsn("old")})("init")
        connection.execute("DROP DATABASE old WITH (FORCE)")
    assert ran.status == 2
    assert "has the encoding SQL_ASCII, not UTF8" in ran.err


def test_a_missing_privilege_stops_the_cycle_after_three(six: Connection, etl: Etl) -> None:
    six.execute("REVOKE INSERT ON dwh.datamart_users FROM etl_runner")
    ran = etl("datamart-users", AS_OF, "--json").ended(2)
    said = "etl: worker 1 gave up: permission denied for table datamart_users [42501]"
    assert ran.err.count(said) == 1
    record = ran.record
    assert (record["failed"], record["remaining"], record["held"]) == (3, 3, 3)
    assert dirty(six) == set(USERS)
    stopped = six.execute("SELECT stop_reason FROM etl.cycle").fetchall()
    assert "permission denied" in stopped[0][0]


def test_workers_that_find_no_connection_leave_the_work_to_the_others(
    start: Start, gate: Connection, connection: Connection, dsn: str
) -> None:
    connection.execute("DROP ROLE IF EXISTS few")
    connection.execute("CREATE ROLE few LOGIN CONNECTION LIMIT 2 IN ROLE etl_runner")
    try:
        gate.execute("SELECT pg_advisory_unlock(42)")
        ran = start("--workers=4", ETL_DSN=f"{dsn} user=few").end()
    finally:
        wait_until_disconnected(connection)
        connection.execute("DROP ROLE few")
    ran.ended(0, done=6)


@pytest.mark.parametrize("damage", [b"17953", b"\0\0\n", b"\xff\xfe\tx\n1\t2\n"])
def test_a_damaged_journal_of_a_killed_cycle_is_recovered_from(
    run: Run,
    gate: Connection,
    connection: Connection,
    etl: Etl,
    environment: dict[str, str],
    damage: bytes,
) -> None:
    kill_whole_cycle(run)
    gate.execute("SELECT pg_advisory_unlock(42)")
    run.end()
    wait_until_disconnected(connection)
    (journal,) = Path(environment["ETL_STATE_DIR"]).glob("cycles/*/*/*/journal.tsv")
    with journal.open("ab") as file:
        file.write(damage)
    etl("datamart-users", AS_OF).ended(0, "was cut off: 3 users attempted, 1 of them in hand")
    assert connection.execute("SELECT FROM etl.cycle WHERE finished_at IS NULL").rowcount == 0


def test_a_day_that_lies_in_the_future_is_refused(six: Connection, etl: Etl) -> None:
    etl("datamart-users", "--as-of=2999-01-01").ended(2, "lies in the future")
    assert dirty(six) == set(USERS)
    assert etl("datamart-users", "--as-of=2999-01-01", "--dry-run").status == 0


@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">/dev/full", "2>/dev/full", "| head -c 0"])
def test_output_that_goes_nowhere_does_not_change_the_cycle(
    six: Connection, environment: dict[str, str], dsn: str, redirection: str
) -> None:
    command = f'set -o pipefail; "{sys.executable}" -m etl datamart-users {AS_OF} {redirection}'
    run_program("bash", "-c", command, env={**environment, "ETL_DSN": dsn}).ended(0)
    assert dirty(six) == set()
