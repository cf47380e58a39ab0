"""`etl doctor` and the server: rights, indexes, limits, slots, standbys; each really provoked."""

import re
from datetime import date
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from etl import db
from etl.db import Connection
from etl.doctor import THRESHOLDS, Checkup, Severity
from etl.doctor.checkup import is_exposed
from etl.doctor.rights import Right, named_in
from tests.conftest import RUNNER, Connect, Etl
from tests.integration.findings import examine, found, is_found, mend

TABLE = "public.things"


def test_a_right_that_was_taken_away_is_named_and_given_back(
    connection: Connection, connect_again: Connect, tmp_path: Path
) -> None:
    assert not is_found(examine(connect_again(), tmp_path), "lacks")
    connection.execute("REVOKE INSERT ON etl.attempt FROM etl_runner")
    connection.execute("REVOKE UPDATE (modified) ON dwh.dimension_users FROM etl_runner")
    connection.execute("REVOKE EXECUTE ON PROCEDURE dwh.merge_notes FROM etl_runner")
    told = examine(connect_again(), tmp_path)
    ledger = found(told, f"etl: {RUNNER} lacks 1 of the rights of a runner: INSERT on etl.attempt")
    assert ledger.severity == Severity.ERROR
    assert ledger.command == "GRANT INSERT ON etl.attempt TO etl_runner;"
    of_job = found(told, f"datamart_users: {RUNNER} lacks 2 of")
    assert "EXECUTE on dwh.merge_notes, UPDATE (modified) on dwh.dimension_users" in of_job.what
    mend(connection, ledger)
    mend(connection, of_job)
    assert not is_found(examine(connect_again(), tmp_path), "lacks")


def test_a_login_without_rights_becomes_a_runner_by_the_command(
    connection: Connection, dsn: str, etl: Etl, tmp_path: Path
) -> None:
    name = f"newcomer_{connection.info.backend_pid}"
    connection.execute(f"CREATE ROLE {name} LOGIN".encode())
    try:
        theirs = db.Target.parse(make_conninfo(dsn, user=name))
        with db.connect(theirs, "tests") as newcomer:
            told = examine(newcomer, tmp_path)
        for scope in ("etl", "datamart_users"):
            finding = found(told, f"{scope}: {name} lacks")
            assert finding.severity == Severity.ERROR
            assert finding.command == f"GRANT etl_runner TO {name};"
        # What cannot be asked is told, and nothing else ends.
        assert etl("doctor", ETL_DSN=theirs.dsn).status == 1
        mend(connection, finding)
        with db.connect(theirs, "tests") as newcomer:
            assert not is_found(examine(newcomer, tmp_path), "lacks")
    finally:
        connection.execute(f"DROP ROLE {name}".encode())


def test_the_rights_that_a_grant_names() -> None:
    text = "GRANT SELECT, INSERT (a, b) ON TABLE s.t, -- why\n s.u TO etl_runner"
    assert named_in(text) == [
        Right("etl_runner", "relation", name, *right)
        for name in ("s.t", "s.u")
        for right in (("SELECT", ""), ("INSERT", "a"), ("INSERT", "b"))
    ]
    routine = "grant execute on function s.f(integer, text), s.g to etl_reader"
    assert [right.object for right in named_in(routine)] == ["s.f", "s.g"]
    odd = '"My ""Shop"."Orders, (all) -- really"'
    assert named_in(f"GRANT SELECT ON s.t, {odd} TO etl_reader") == [
        Right("etl_reader", "relation", name, "SELECT", "") for name in ("s.t", odd)
    ]
    assert not named_in("GRANT SELECT ON ALL TABLES IN SCHEMA s TO etl_runner")
    assert not named_in("GRANT SELECT ON s.t TO somebody")
    assert not named_in("REVOKE EXECUTE ON PROCEDURE s.f FROM PUBLIC")


def test_an_index_that_a_numbered_file_made_is_missed_and_made_again(
    connection: Connection, tmp_path: Path
) -> None:
    definition = (
        "SELECT pg_get_indexdef(i.indexrelid) FROM pg_index AS i"
        " WHERE i.indexrelid = 'dwh.facts_of_user'::regclass"
    )
    before = connection.execute(definition.encode()).fetchall()
    assert not is_found(examine(connection, tmp_path), "is gone")
    connection.execute("SET default_transaction_read_only = off")
    connection.execute("DROP INDEX dwh.facts_of_user")
    finding = found(examine(connection, tmp_path), "the index dwh.facts_of_user is gone")
    assert "0001_star_schema.sql" in finding.what
    mend(connection, finding)
    assert connection.execute(definition.encode()).fetchall() == before
    assert not is_found(examine(connection, tmp_path), "is gone")


def test_what_a_rebuild_left_is_dropped_and_an_index_under_work_left_alone(
    connection: Connection, connect_again: Connect, tmp_path: Path
) -> None:
    connection.execute(f"CREATE TABLE {TABLE} (n integer)".encode())
    connection.execute(f"CREATE INDEX things_n ON {TABLE} (n)".encode())
    holder = connect_again()
    connection.execute(f"GRANT ALL ON {TABLE} TO PUBLIC".encode())
    holder.execute("BEGIN")
    holder.execute(f"LOCK TABLE {TABLE} IN ROW EXCLUSIVE MODE".encode())
    connection.execute("SET statement_timeout = '200ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        connection.execute("REINDEX INDEX CONCURRENTLY public.things_n")
    holder.execute("ROLLBACK")
    connection.execute("SET statement_timeout = 0")
    rest = found(examine(connection, tmp_path), "the index public.things_n_ccnew is invalid")
    assert rest.severity == Severity.ERROR
    assert rest.command == "DROP INDEX CONCURRENTLY public.things_n_ccnew;"
    worker = connect_again()
    worker.execute("BEGIN")
    worker.execute(f"LOCK TABLE {TABLE} IN SHARE UPDATE EXCLUSIVE MODE".encode())
    at_work = found(examine(connection, tmp_path), "things_n_ccnew is invalid; somebody")
    assert at_work.severity == Severity.NOTE
    worker.execute("ROLLBACK")
    mend(connection, rest)
    assert not is_found(examine(connection, tmp_path), "is invalid")


def test_limits_of_connections_are_found(
    connection: Connection, connect_again: Connect, tmp_path: Path
) -> None:
    name = connection.info.dbname
    assert not is_found(examine(connect_again(), tmp_path), "are free")
    connection.execute(f"ALTER DATABASE {name} CONNECTION LIMIT 4".encode())
    runner = connect_again()
    ((most,),) = connection.execute("SHOW max_connections").fetchall()
    told = examine(runner, tmp_path, workers=int(most))
    limit = found(told, f"database {name} takes 4 connections; ")
    assert limit.why.startswith(f"A cycle here takes {int(most) + 1}: ")
    # Hidden as they are from a runner, sessions of others count.
    words = found(told, f"max_connections is {most}; ").what
    ((used,),) = connection.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
    ).fetchall()
    ((kept,),) = connection.execute(
        "SELECT sum(setting::integer) FROM pg_settings"
        " WHERE name IN ('superuser_reserved_connections', 'reserved_connections')"
    ).fetchall()
    assert words.endswith(f"{int(most) - kept - used} are free")
    mend(connection, limit)
    told = examine(connect_again(), tmp_path, workers=int(most))
    assert not is_found(told, "takes 4 connections")


def test_what_is_hidden_is_said_until_pg_monitor_is_granted(
    connection: Connection, connect_again: Connect, tmp_path: Path
) -> None:
    finding = found(examine(connect_again(), tmp_path), "is hidden from")
    assert (finding.severity, finding.command) == (Severity.NOTE, f"GRANT pg_monitor TO {RUNNER};")
    mend(connection, finding)
    try:
        assert not is_found(examine(connect_again(), tmp_path), "is hidden from")
    finally:
        connection.execute(f"REVOKE pg_monitor FROM {RUNNER}".encode())


def test_a_slot_that_nobody_reads_is_found_and_dropped(
    connection: Connection, tmp_path: Path
) -> None:
    slot = f"slot_{connection.info.backend_pid}"
    connection.execute("SELECT pg_create_physical_replication_slot($1, true)", [slot])
    try:
        finding = found(examine(connection, tmp_path), f"the replication slot {slot} is not in use")
        mend(connection, finding)
        assert not is_found(examine(connection, tmp_path), slot)
    finally:
        connection.execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
            " WHERE slot_name = $1",
            [slot],
        )


def test_a_table_that_is_empty_for_the_most_part_is_estimated_and_measured(
    connection: Connection, tmp_path: Path
) -> None:
    connection.execute(f"CREATE TABLE {TABLE} (n integer, t text) WITH (fillfactor = 90)".encode())
    connection.execute(
        f"INSERT INTO {TABLE} SELECT i, repeat('x', 100) FROM generate_series(1, 20000) i".encode()
    )
    connection.execute(f"VACUUM ANALYZE {TABLE}".encode())
    assert not is_found(examine(connection, tmp_path), f"of {TABLE} are empty")
    connection.execute("SET default_transaction_read_only = off")
    connection.execute(f"DELETE FROM {TABLE} WHERE n % 10 > 0".encode())
    connection.execute(f"VACUUM ANALYZE {TABLE}".encode())
    guess = found(examine(connection, tmp_path), f"of {TABLE} are empty or dead, an estimate")
    connection.execute("SET default_transaction_read_only = off")
    connection.execute("CREATE SCHEMA tools")
    connection.execute("CREATE EXTENSION pgstattuple SCHEMA tools")
    measured = found(examine(connection, tmp_path), f"of {TABLE} are empty or dead, measured")
    assert (guess.severity, measured.severity) == (Severity.NOTE, Severity.WARNING)
    connection.execute("RESET statement_timeout")
    mend(connection, measured)
    assert not is_found(examine(connection, tmp_path), f"of {TABLE} are empty")


def test_a_version_is_told_half_a_year_before_its_last_day(
    connection: Connection, tmp_path: Path
) -> None:
    def at(day: date) -> list[tuple[Severity, str]]:
        checkup = Checkup([], tmp_path, 1, dict(THRESHOLDS), today=day)
        (server,) = [v for v in checkup.of_database(connection) if v.check == "server"]
        return [(f.severity, f.what) for f in server.findings if "last release" in f.what]

    assert at(date(2026, 11, 22)) == []
    ((severity, what),) = at(date(2040, 1, 1))
    assert severity == Severity.WARNING
    said = re.search(r"last release on (\S+)", what)
    assert said is not None
    last = date.fromisoformat(said[1])
    assert [severity for severity, _ in at(last)] == [Severity.NOTE]


def test_a_role_that_only_reads_is_found(
    connection: Connection, connect_again: Connect, tmp_path: Path
) -> None:
    setting = f"ALTER ROLE {RUNNER} IN DATABASE {connection.info.dbname}"
    connection.execute(f"{setting} SET default_transaction_read_only = on".encode())
    mend(connection, found(examine(connect_again(), tmp_path), f"sessions of {RUNNER} only read"))
    assert not is_found(examine(connect_again(), tmp_path), "only read")


@pytest.mark.parametrize(
    ("address", "is_encrypted", "expected"),
    [
        ("", False, False),
        ("/run/postgresql", False, False),
        ("127.0.0.1", False, False),
        ("::1", False, False),
        ("192.0.2.7", True, False),
        ("192.0.2.7", False, True),
        ("fe80::1%eth0", False, True),
    ],
)
def test_a_connection_is_exposed_on_a_network_without_tls(
    address: str, is_encrypted: bool, expected: bool
) -> None:
    assert is_exposed(address, is_encrypted=is_encrypted) is expected
