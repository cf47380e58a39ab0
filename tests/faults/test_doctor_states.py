"""`etl doctor` on a server of the test's own: settings, prepared transactions, a standby."""

import shutil
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import pytest

from etl.db import Connection, Target, connect
from etl.doctor import THRESHOLDS, Checkup, Finding, Severity
from tests.faults.servers import OwnServer
from tests.integration.findings import examine, found, is_found, mend
from tests.waiting import until


@pytest.fixture(scope="module")
def server() -> Generator[OwnServer]:
    """A server that prepares transactions, and whose settings may be changed."""
    with OwnServer({"max_prepared_transactions": "2"}) as started:
        yield started


@pytest.fixture
def dbname(server: OwnServer) -> str:
    return server.new_database()


def findings(server: OwnServer, dbname: str, state: Path) -> dict[str, Finding]:
    """What a new session finds."""
    with closing(server.connect(dbname)) as connection:
        return examine(connection, state)


def mended(server: OwnServer, dbname: str, words: str, state: Path) -> Finding:
    """The finding with these words, after its command has made it go away."""
    finding = found(findings(server, dbname, state), words)
    with closing(server.connect(dbname)) as connection:
        mend(connection, finding)
    until(lambda: not is_found(findings(server, dbname, state), words))
    return finding


@pytest.mark.parametrize(
    ("name", "value", "severity"),
    [
        ("full_page_writes", "off", Severity.ERROR),
        ("autovacuum", "off", Severity.WARNING),
        ("track_counts", "off", Severity.WARNING),
        ("synchronous_commit", "off", Severity.NOTE),
        ("idle_session_timeout", "7min", Severity.WARNING),
    ],
)
def test_a_setting_is_found_and_mended(
    server: OwnServer, dbname: str, tmp_path: Path, name: str, value: str, severity: Severity
) -> None:
    server.set(name, value)
    try:
        assert mended(server, dbname, f"{name} is ", tmp_path).severity == severity
    finally:
        with server.maintenance() as connection:
            connection.execute(f"ALTER SYSTEM RESET {name}".encode())
            connection.execute("SELECT pg_reload_conf()")


def test_a_prepared_transaction_is_found_and_rolled_back(
    server: OwnServer, dbname: str, tmp_path: Path
) -> None:
    with closing(server.connect(dbname)) as forgetful:
        forgetful.execute("BEGIN")
        forgetful.execute("CREATE TABLE half_done ()")
        forgetful.execute("PREPARE TRANSACTION 'it''s open'")
    assert mended(server, dbname, "'it''s open' is prepared since", tmp_path)


def test_ids_that_run_out_are_told(server: OwnServer, dbname: str, tmp_path: Path) -> None:
    def told(connection: Connection, share: float) -> dict[str, Finding]:
        checkup = Checkup([], tmp_path, 1, {**THRESHOLDS, "share": share})
        verdicts = checkup.of_database(connection)
        return {f.what: f for v in verdicts if v.check == "wraparound" for f in v.findings}

    with closing(server.connect(dbname)) as connection:
        assert not told(connection, 0.5)
        ((age,),) = connection.execute(
            "SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()"
        ).fetchall()
        assert found(told(connection, -1.0), f"oldest transaction id of {dbname} is {age} old")


def test_a_standby_is_looked_over_like_any_server(
    server: OwnServer, dbname: str, tmp_path: Path
) -> None:
    with server.maintenance() as connection:
        ((data,),) = connection.execute("SHOW data_directory").fetchall()
        connection.execute("SELECT pg_create_physical_replication_slot('unread', true)")
    folder = Path(str(data))
    signal = folder / "standby.signal"
    signal.touch(0o600)
    shutil.chown(signal, folder.stat().st_uid, folder.stat().st_gid)
    server.restart("fast")
    try:
        with connect(Target.parse(server.dsn(dbname)), "tests") as connection:
            told = examine(connection, tmp_path)
        assert found(told, "the server is a standby").severity == Severity.ERROR
        assert found(told, "the replication slot unread is not in use")
        assert not is_found(told, "not checked")
    finally:
        signal.unlink()
        server.restart("fast")
        with server.maintenance() as connection:
            connection.execute("SELECT pg_drop_replication_slot('unread')")
