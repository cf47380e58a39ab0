"""A password shows nowhere: not in output, queue, ledger, process list, nor in an error."""

import os
from collections.abc import Generator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from etl.db import Connection
from tests.conftest import Address, runner
from tests.faults.conftest import (
    Run,
    Start,
    kill_whole_cycle,
    wait_until_at_gate,
    wait_until_disconnected,
    wait_until_gone,
)
from tests.gates import open_gate
from tests.waiting import reload

SECRET = "S3CRET"


@pytest.fixture
def guarded(server_address: Address, dsn: str) -> Generator[str]:
    """A role that must give its password. Its connection string, without that."""
    with psycopg.connect(server_address.dsn(), autocommit=True) as connection:
        hba = Path(str(connection.execute("SHOW hba_file").fetchall()[0][0]))
        before = hba.read_text()
        connection.execute(f"CREATE ROLE guarded LOGIN SUPERUSER PASSWORD '{SECRET}'".encode())
        try:
            hba.write_text(f"local all guarded scram-sha-256\n{before}")
            reload(server_address.dsn())
            yield make_conninfo(dsn, user="guarded")
        finally:
            hba.write_text(before)
            reload(server_address.dsn())
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE usename = 'guarded'"
            )
            connection.execute("DROP ROLE guarded")


def _given(way: str, guarded: str, folder: Path) -> tuple[list[str], dict[str, str]]:
    """Arguments and environment that give the password in one of libpq's ways."""
    parts = {name: str(value) for name, value in conninfo_to_dict(guarded).items()}
    keywords = make_conninfo(guarded, password=SECRET)
    host, port = quote(parts["host"], safe=""), parts["port"]
    uri = f"postgresql://guarded:{SECRET}@{host}:{port}/{parts['dbname']}"
    service, passfile = folder / "service.conf", folder / "pgpass"
    lines = "".join(f"{name}={value}\n" for name, value in parts.items())
    service.write_text(f"[warehouse]\n{lines}password={SECRET}\n")
    passfile.write_text(f"*:*:*:guarded:{SECRET}\n")
    passfile.chmod(0o600)
    ways: dict[str, tuple[list[str], dict[str, str]]] = {
        "uri": ([], {"ETL_DSN": uri}),
        "keywords": ([], {"ETL_DSN": keywords}),
        "flag": (["--dsn", uri], {}),
        "PGPASSWORD": ([], {"ETL_DSN": guarded, "PGPASSWORD": SECRET}),
        "service file": ([], {"ETL_DSN": "service=warehouse", "PGSERVICEFILE": str(service)}),
        "password file": ([], {"ETL_DSN": guarded, "PGPASSFILE": str(passfile)}),
    }
    return ways[way]


WAYS = ["uri", "keywords", "flag", "PGPASSWORD", "service file", "password file"]


def _kept(state: str, connection: Connection) -> str:
    """Everything in the state folder, in the ledger, and in the list of sessions."""
    files = [path for path in Path(state).rglob("*") if path.is_file()]
    assert files
    text = "".join(f"{path} {path.read_text(errors='replace')}\n" for path in files)
    for table in ("etl.cycle", "etl.attempt", "etl.held_item", "pg_stat_activity"):
        rows = connection.execute(f"SELECT t::text FROM {table} AS t".encode()).fetchall()
        text += "\n".join(str(row) for row in rows)
    return text


def _command_lines(run: Run) -> list[str]:
    pids = [run.process.pid, *run.workers()]
    return [Path(f"/proc/{pid}/cmdline").read_bytes().decode() for pid in pids]


@pytest.mark.parametrize("way", WAYS)
def test_a_cycle_that_works_shows_no_password(
    way: str,
    guarded: str,
    gate: Connection,
    start: Start,
    environment: dict[str, str],
    tmp_path: Path,
) -> None:
    arguments, settings = _given(way, guarded, tmp_path)
    run = start("--workers=1", "--log-format=json", *arguments, **{"ETL_DSN": "", **settings})
    wait_until_at_gate(gate)
    main, worker = _command_lines(run)
    assert SECRET not in worker
    assert (SECRET in main) == (way == "flag")  # that is the user's doing, and is warned of
    state = environment["ETL_STATE_DIR"]
    assert SECRET not in _kept(state, gate)
    open_gate(gate)
    ran = run.ended(0)
    assert ("can be read in the process list" in ran.err) == (way == "flag")
    assert SECRET not in ran.out + ran.err + _kept(state, gate)


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_crash_and_what_is_left_of_it_show_no_password(
    guarded: str,
    gate: Connection,
    start: Start,
    environment: dict[str, str],
    tmp_path: Path,
    log_format: str,
) -> None:
    _, settings = _given("uri", guarded, tmp_path)
    state, said = environment["ETL_STATE_DIR"], ""
    run = start("--workers=1", f"--log-format={log_format}", **settings)
    wait_until_at_gate(gate)
    (worker,) = kill_whole_cycle(run)
    wait_until_gone(worker)
    said += "".join(run.end()[1:]) + _kept(state, gate)
    open_gate(gate)
    wait_until_disconnected(gate)
    ran = start("--workers=1", f"--log-format={log_format}", **settings).ended(0, "was cut off")
    assert SECRET not in said + ran.out + ran.err + _kept(state, gate)


def test_a_wrong_password_shows_neither_it_nor_the_right_one(
    guarded: str, environment: dict[str, str]
) -> None:
    ran = runner(environment)("init", ETL_DSN=make_conninfo(guarded, password="wr0ng")).ended(
        69, "password authentication failed"
    )
    assert "wr0ng" not in ran.out + ran.err


SPILLING = [
    f"postgresql://me:p@{SECRET}@127.0.0.1:1/db",
    f"postgresql://me:pa/{SECRET}@127.0.0.1:1/db",
    f"postgresql://me:12/{SECRET}@127.0.0.1:1/db",
    f"postgresql://me:{SECRET}/x@127.0.0.1:1/db",
    f"postgres://me:pa?x@{SECRET}@127.0.0.1:1/db",
    f"dbname=postgresql://me:{SECRET}@127.0.0.1:1/db host=127.0.0.1 port=1",
    f"host=postgresql://me:{SECRET}@127.0.0.1:1/db",
    f"host=me:{SECRET}@127.0.0.1 port=1",
    f"user=me:{SECRET}@127.0.0.1 host=127.0.0.1 port=1",
    f"host=127.0.0.1 port={SECRET}",
]
UNREADABLE = [
    f"postgresql://me:pa%{SECRET}@127.0.0.1:1/db",
    f"postgresql://me:{SECRET}@[127.0.0.1:1/db",
    f"postgresql://me:{SECRET}@127.0.0.1:1/db?x={SECRET}",
    f"host=127.0.0.1 password=my {SECRET}",
    f"host=127.0.0.1 password='my {SECRET}",
    f"passwort={SECRET}",
    f"//me:{SECRET}@127.0.0.1/db",
    os.fsdecode(b"postgresql://me:S3CRET\xff@127.0.0.1/db"),
]
# These can be read, and lead to nobody.
NOWHERE = [
    f"postgresql://me:{SECRET}\u2100@127.0.0.1:1/db",
    f"postgresql://me:[{SECRET}@127.0.0.1:1/db",
    f"postgresql://me:#?&{SECRET}@127.0.0.1:1/db",
    f"postgresql://127.0.0.1:1/db?user=me&password={SECRET}",
    f"host=127.0.0.1 port=99999 password={SECRET}",
    f"host=127.0.0.1,127.0.0.2 port=1,2,3 password={SECRET}",
    f"host=nowhere.invalid port=1 password={SECRET}",
    f"host=/run/user@1/x,@abstract port=1,1 password={SECRET}",
    f"host=127.0.0.1 port=1 sslmode=maybe password={SECRET}",
]


@pytest.mark.parametrize(
    ("dsn", "status", "said"),
    [
        *((dsn, 2, "may be a part of a password") for dsn in SPILLING),
        *((dsn, 2, "the connection string cannot be read") for dsn in UNREADABLE),
        *((dsn, 69, "cannot reach the database at") for dsn in NOWHERE),
        (f"host=127.0.0.1 connect_timeout=x password={SECRET}", 2, "bad value for connect_timeout"),
    ],
    ids=range(len(SPILLING + UNREADABLE + NOWHERE) + 1),
)
def test_a_broken_connection_string_is_one_error_without_its_password(
    environment: dict[str, str], dsn: str, status: int, said: str
) -> None:
    ran = runner(environment)("sql", "list", "--dsn", dsn).ended(status, said)
    assert SECRET not in ran.out + ran.err


def test_a_misplaced_uri_in_a_variable_is_refused_too(environment: dict[str, str]) -> None:
    for name in ("PGHOST", "PGDATABASE", "PGUSER"):
        uri = {name: f"postgresql://me:{SECRET}@127.0.0.1/db"}
        ran = runner(environment)(
            "sql", "list", **{"PGHOST": "127.0.0.1", "PGPORT": "1", **uri}
        ).ended(2, "may be a part of a password")
        assert SECRET not in ran.out + ran.err
