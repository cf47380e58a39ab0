"""What a runner and a reader may do, and what not."""

from pathlib import Path

import psycopg
import pytest

from etl import db
from etl.db import Connection, Target, connect
from etl.folders import sql_folder
from etl.sqlfile import statements
from tests.conftest import READER, RUNNER, Address, Connect, Etl, runner
from tests.integration.test_load_notes import HEADER, NOTES
from tests.support import DAY, add_facts, add_users, dirty, opened

AS_OF = f"--as-of={DAY}"
RELATIONS = (
    "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class AS c"
    " JOIN pg_namespace AS n ON n.oid = c.relnamespace"
    " WHERE n.nspname !~ '^pg_|^information_schema$' AND c.relkind IN ('r', 'v', 'm', 'p', 'f')"
)
NOT_FOR_ANYBODY = [
    "TRUNCATE dwh.facts",
    "DELETE FROM dwh.facts",
    "UPDATE dwh.facts SET action_at = now()",
    "DO $$ BEGIN LOCK TABLE dwh.facts; END $$",
    "ALTER TABLE dwh.facts DISABLE TRIGGER facts_inserted",
    "CREATE INDEX ON dwh.facts (action_at)",
    "DROP TABLE dwh.facts",
    "DELETE FROM dwh.dimension_users",
    "UPDATE dwh.dimension_users SET username = 'x'",
    "INSERT INTO dwh.dimension_users (username, modified) VALUES ('x', FALSE)",
    "UPDATE dwh.dimension_countries SET country_name = 'x'",
    "DELETE FROM dwh.dimension_applications",
    "TRUNCATE dwh.datamart_users",
    "DELETE FROM dwh.datamart_users",
    "DELETE FROM etl.applied_file",
    "UPDATE etl.applied_file SET checksum = ''",
    "INSERT INTO etl.applied_file (scope, name) VALUES ('etl', 'x')",
    "UPDATE etl.cycle SET host = 'x'",
    "DELETE FROM etl.cycle",
    "UPDATE etl.attempt SET outcome = 'done'",
    "DELETE FROM etl.attempt",
    "TRUNCATE etl.held_item",
    "CREATE SCHEMA x",
    "CREATE TABLE dwh.x (a integer)",
    "CREATE TABLE etl.x (a integer)",
    "CREATE TABLE public.x (a integer)",
    "CREATE FUNCTION dwh.x() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "CREATE OR REPLACE PROCEDURE dwh.analyze_users() LANGUAGE sql AS 'SELECT 1'",
    "ALTER PROCEDURE dwh.analyze_users() RESET search_path",
    "DROP PROCEDURE dwh.merge_notes",
    "CREATE OR REPLACE VIEW dwh.datamart_users_today AS SELECT 1 AS a",
    "CREATE TRIGGER x BEFORE INSERT ON dwh.datamart_users EXECUTE FUNCTION dwh.user_marked()",
    "SET ROLE etl_owner",
    "SET session_replication_role = replica",
    "ALTER ROLE etl_runner LOGIN",
    "GRANT etl_owner TO CURRENT_USER",
    "SELECT pg_read_file('PG_VERSION')",
    "COPY dwh.facts TO PROGRAM 'cat'",
]
NOT_FOR_READERS = [
    "INSERT INTO dwh.facts (note_id, action, action_at, dimension_id_country)"
    " VALUES (1, 'opened', now(), 1)",
    "INSERT INTO dwh.dimension_users (username) VALUES ('x')",
    "UPDATE dwh.dimension_users SET modified = TRUE",
    "SELECT FROM dwh.dimension_users FOR UPDATE",
    "INSERT INTO dwh.dimension_countries (country_name) VALUES ('x')",
    "UPDATE dwh.datamart_users SET as_of = now()",
    "INSERT INTO etl.attempt (cycle_id) VALUES (1)",
    "UPDATE etl.cycle SET stop_reason = 'x'",
    "DELETE FROM etl.held_item",
    "CALL dwh.update_datamart_user(1, '2026-01-16')",
    "CALL dwh.stage_notes()",
    "CALL dwh.merge_notes(NULL, NULL, NULL, NULL, NULL, NULL)",
    "CALL dwh.analyze_users()",
]


@pytest.fixture
def reader_dsn(dsn: str) -> str:
    return f"{dsn} user={READER}"


def is_refused(connection: Connection, statement: str) -> bool:
    """Whether a login lacks the right to do this."""
    try:
        connection.execute(statement.encode())
    except psycopg.errors.InsufficientPrivilege:
        return True
    return False


def test_a_runner_may_not_destroy_or_define_anything(connect_again: Connect) -> None:
    runner = connect_again()
    assert [each for each in NOT_FOR_ANYBODY if not is_refused(runner, each)] == []


def test_a_reader_may_not_write_anything(reader_dsn: str) -> None:
    with connect(Target.parse(reader_dsn), "tests") as reader:
        statements = NOT_FOR_ANYBODY + NOT_FOR_READERS
        assert [each for each in statements if not is_refused(reader, each)] == []


DELETED_FROM = (
    "etl.queue",
    "etl.queue_item",
    "etl.queue_outcome",
    "etl.crew",
    "etl.held_item",
    "etl.done_range",
    "etl.done_message",
    "cache.warmed",
    "cache.mark",
    "cache.hit",
)


@pytest.mark.parametrize("login", [RUNNER, READER])
def test_every_table_and_view_can_be_read(dsn: str, login: str) -> None:
    with connect(Target.parse(f"{dsn} user={login}"), "tests") as connection:
        # Payloads of a cache are fetched by a function, from tables that nobody else reads.
        found = [str(name) for (name,) in connection.execute(RELATIONS.encode())]
        names = [name for name in found if login == RUNNER or not name.startswith("cache.")]
        for name in names:
            connection.execute(f"SELECT * FROM {name}".encode())
    assert {"etl.progress", "etl.held_item", "dwh.facts", "dwh.datamart_users_today"} <= set(names)


@pytest.mark.parametrize(
    ("login", "expected"),
    [(RUNNER, {(table, "DELETE") for table in DELETED_FROM}), (READER, set[object]())],
)
def test_what_destroys_is_granted_nowhere_else(
    connection: Connection, login: str, expected: set[object]
) -> None:
    found = connection.execute(
        f"SELECT r.name, p.name FROM ({RELATIONS}) AS r (name),"
        " unnest(ARRAY['DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS p (name)"
        " WHERE has_table_privilege($1, r.name, p.name)".encode(),
        [login],
    )
    assert set(found) == expected


def test_two_procedures_run_with_the_rights_of_their_owner_and_find_only_what_they_name(
    connection: Connection,
) -> None:
    found = connection.execute(
        "SELECT p.oid::regprocedure::text, p.proconfig FROM pg_proc AS p"
        " JOIN pg_namespace AS n ON n.oid = p.pronamespace"
        " WHERE p.prosecdef AND n.nspname IN ('etl', 'dwh') ORDER BY 1"
    ).fetchall()
    fixed = ["search_path=pg_catalog, pg_temp"]
    forget = "etl.forget_attempts(text,integer,timestamp with time zone)"
    assert found == [("dwh.analyze_users()", fixed), (forget, fixed)]


def test_a_runners_load_gives_the_planner_statistics(
    etl: Etl, connection: Connection, tmp_path: Path
) -> None:
    (tmp_path / "notes.csv").write_text(HEADER + NOTES)
    assert etl("load-notes", tmp_path / "notes.csv").status == 0
    users = connection.execute(
        "SELECT reltuples FROM pg_class WHERE oid = 'dwh.dimension_users'::regclass"
    ).fetchall()
    assert users == [(3,)]


def test_a_runner_needs_nothing_that_everybody_has(
    environment: dict[str, str], bare_dsn: str, server_address: Address, tmp_path: Path
) -> None:
    """Many a DBA takes from PUBLIC what PostgreSQL gives it, now and in future."""
    with connect(Target.parse(f"{bare_dsn} user={server_address.user}"), "tests") as connection:
        connection.execute(
            "ALTER DEFAULT PRIVILEGES FOR ROLE etl_owner REVOKE EXECUTE ON ROUTINES FROM PUBLIC"
        )
        assert runner({**environment, "ETL_DSN": bare_dsn})("init").status == 0
        name = connection.info.dbname
        connection.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC".encode())
        connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        for job in ("cache_warm", "counter_caches", "fix_invoices"):
            with connection.transaction():
                for statement in statements(sql_folder() / "jobs" / job / "sample.sql"):
                    db.run(connection, statement, scale=20, as_of=DAY)
    (tmp_path / "notes.csv").write_text(HEADER + NOTES)
    etl = runner({**environment, "ETL_DSN": f"{bare_dsn} user={RUNNER}"})
    assert etl("load-notes", tmp_path / "notes.csv").status == 0
    assert etl("datamart-users", AS_OF, "--json").record["done"] == 3
    assert etl("verify", "datamart-users", AS_OF).status == 0
    reads = runner({**environment, "ETL_DSN": f"{bare_dsn} user={READER}"})
    for job, status in (
        ("datamart-users", 0), ("cache-warm", 0), ("counter-caches", 0), ("fix-invoices", 1),
    ):  # fmt: skip
        ran = etl(job)
        assert ran.status == status, ran.err  # of the sample's invoices three have no rate
        assert reads(job, "--dry-run").status in {0, 3}
        assert reads("verify", job).status == status


def test_a_reader_verifies_and_looks_but_runs_no_cycle(
    etl: Etl, connection: Connection, reader_dsn: str
) -> None:
    add_users(connection, "ana")
    add_facts(connection, [opened(1, "2026-01-15", "ana")])
    assert etl("verify", "datamart-users", AS_OF, ETL_DSN=reader_dsn).status == 0
    assert etl("sql", "list", ETL_DSN=reader_dsn).status == 0
    etl("datamart-users", AS_OF, "--dry-run", "--json", ETL_DSN=reader_dsn).told(found=1)
    etl("datamart-users", AS_OF, ETL_DSN=reader_dsn).ended(
        2, "permission denied for table cycle [42501]"
    )
    assert dirty(connection) == {"ana"}


def test_a_cycle_of_another_role_is_told_as_far_as_one_may_know(
    etl: Etl, connection: Connection
) -> None:
    connection.execute("SELECT pg_advisory_lock(hashtextextended('etl cycle datamart-users', 0))")
    ran = etl("datamart-users", AS_OF).ended(
        75, f"server process {connection.info.backend_pid}, tests from"
    )
    assert "None" not in ran.err
