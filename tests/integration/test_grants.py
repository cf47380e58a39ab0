"""`etl init` where the roles exist: who owns what it makes, who may run it, what it grants."""

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from etl.db import Connection, Target, connect
from etl.deploy import roles
from tests.conftest import DEPLOYER, RUNNER, Address, Etl, Ran, runner, shipped_jobs
from tests.integration.test_making_roles import OWNERS

GRANTS = [
    ("etl", "grants/etl_reader.sql"),
    ("etl", "grants/etl_runner.sql"),
    *(
        (job.name, f"grants/{role}.sql")
        for job in shipped_jobs()
        for role in ("etl_reader", "etl_runner")
    ),
]


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    """A folder with one more job, which has a table, a function and a grant."""
    folder = tmp_path / "jobs" / "tally"
    for part in ("schema", "procedures", "grants"):
        (folder / part).mkdir(parents=True)
    (folder / "job.toml").write_text('title = "Tally"\nunit = "thing"\n')
    (folder / "schema" / "0001_things.sql").write_text(
        "CREATE SCHEMA tally;\nCREATE TABLE tally.thing (a integer);\n"
    )
    (folder / "procedures" / "one.sql").write_text(
        "CREATE OR REPLACE FUNCTION tally.one() RETURNS integer LANGUAGE sql AS 'SELECT 1';\n"
    )
    (folder / "grants" / "etl_runner.sql").write_text(
        "GRANT USAGE ON SCHEMA tally TO etl_runner;\nGRANT SELECT ON tally.thing TO etl_runner;\n"
    )
    return folder.parent


@pytest.fixture
def init(etl: Etl, dsn: str, connection: Connection) -> Etl:
    roles.create(connection)  # rights on a database are not copied from its template

    def run(*arguments: str | Path, **more: str) -> Ran:
        return etl("init", *arguments, ETL_DSN=f"{dsn} user={DEPLOYER}", **more)

    return run


def granted(out: str) -> list[tuple[str, str]]:
    return [(file["scope"], file["name"]) for file in json.loads(out)["granted"]]


@pytest.mark.parametrize("login", [DEPLOYER, "etl"])
def test_everything_belongs_to_the_owner_and_the_ledger_says_who_it_was(
    environment: dict[str, str], bare_dsn: str, login: str
) -> None:
    etl = runner({**environment, "ETL_DSN": f"{bare_dsn} user={login}"})
    first = etl("init", "--json")
    assert granted(first.out) == GRANTS
    with connect(Target.parse(bare_dsn), "tests") as connection:
        assert connection.execute(OWNERS.encode()).fetchall() == [("etl_owner",)]
        by = connection.execute("SELECT DISTINCT applied_by FROM etl.applied_file").fetchall()
    assert by == [(login,)]
    second = etl("init")
    assert (second.status, second.out.count("\n")) == (0, 1)
    assert second.out.startswith("nothing to do")


def test_another_member_replaces_a_procedure_and_it_keeps_its_owner_and_rights(
    init: Etl, etl: Etl, connection: Connection, dsn: str, jobs: Path
) -> None:
    assert init(ETL_JOBS_DIR=str(jobs)).status == 0
    procedure = jobs / "tally" / "procedures" / "one.sql"
    procedure.write_text(procedure.read_text().replace("SELECT 1", "SELECT 2"))
    connection.execute("REVOKE EXECUTE ON FUNCTION tally.one FROM PUBLIC")
    connection.execute("CREATE ROLE another LOGIN IN ROLE etl_owner")
    try:
        ran = etl("init", ETL_DSN=f"{dsn} user=another", ETL_JOBS_DIR=str(jobs))
    finally:
        connection.execute("DROP ROLE another")
    assert ran.out == "applied  tally: procedures/one.sql\n"
    found = connection.execute(
        "SELECT proowner::regrole::text, has_function_privilege($1, oid, 'EXECUTE')"
        " FROM pg_proc WHERE oid = 'tally.one'::regproc",
        [RUNNER],
    ).fetchall()
    assert found == [("etl_owner", False)]


def test_a_right_that_somebody_revoked_comes_back_and_only_that_is_told(
    init: Etl, connection: Connection
) -> None:
    connection.execute("REVOKE UPDATE (stop_reason) ON etl.cycle FROM etl_runner")
    right = "SELECT has_column_privilege($1, 'etl.cycle', 'stop_reason', 'UPDATE')"
    dry = init("--dry-run")
    assert (dry.status, dry.out) == (0, "would grant  etl: grants/etl_runner.sql\n")
    assert connection.execute(right, [RUNNER]).fetchone() == (False,)
    assert init().out == "granted  etl: grants/etl_runner.sql\n"
    assert connection.execute(right, [RUNNER]).fetchone() == (True,)
    assert init().out.startswith("nothing to do")


def test_an_init_with_nothing_to_grant_writes_nothing_to_the_catalogue(
    init: Etl, connection: Connection
) -> None:
    version = "SELECT xmin FROM pg_class WHERE oid = 'etl.cycle'::regclass"
    before = connection.execute(version).fetchone()
    assert init().status == 0
    assert connection.execute(version).fetchone() == before


def test_a_database_that_only_reads_is_left_alone(init: Etl) -> None:
    for arguments in ([], ["--dry-run"]):
        ran = init(*arguments, PGOPTIONS="-c default_transaction_read_only=on")
        assert (ran.status, ran.err) == (0, "")
        assert ran.out.startswith("nothing to do")


def test_the_grants_of_any_job_are_given(init: Etl, connection: Connection, jobs: Path) -> None:
    first = init("--json", ETL_JOBS_DIR=str(jobs))
    assert granted(first.out) == [("tally", "grants/etl_runner.sql")]
    found = connection.execute(
        "SELECT has_table_privilege($1, 'tally.thing', 'SELECT'),"
        " has_table_privilege($1, 'tally.thing', 'INSERT')",
        [RUNNER],
    ).fetchall()
    assert found == [(True, False)]


def test_a_broken_grant_is_told_with_its_line_and_costs_its_own_file_only(
    init: Etl, connection: Connection, jobs: Path
) -> None:
    connection.execute("REVOKE SELECT ON etl.progress FROM etl_runner")
    path = jobs / "tally" / "grants" / "etl_runner.sql"
    path.write_text(path.read_text() + "GRANT SELECT\nON tally.nothing TO etl_runner;\n")
    init(ETL_JOBS_DIR=str(jobs)).ended(
        2, f'{path}:3: relation "tally.nothing" does not exist [42P01]'
    )
    found = connection.execute(
        "SELECT has_table_privilege($1, 'etl.progress', 'SELECT'),"
        " has_table_privilege($1, 'tally.thing', 'SELECT')",
        [RUNNER],
    ).fetchall()
    assert found == [(True, False)]


def test_a_runner_has_nothing_to_do_or_is_told_whom_to_ask(
    etl: Etl, connection: Connection, jobs: Path
) -> None:
    connection.execute("REVOKE SELECT ON etl.progress FROM etl_runner")
    ran = etl("init")
    assert (ran.status, ran.err, ran.out.startswith("nothing to do")) == (0, "", True)
    ran = etl("init", ETL_JOBS_DIR=str(jobs))
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == (
        "etl: schema etl belongs to etl_owner; nightly is no member of it\n"
        "     Connect as a member of etl_owner.\n"
    )
    assert connection.execute("SELECT to_regnamespace('tally')").fetchone() == (None,)
    assert "would apply  tally: procedures/one.sql" in etl(
        "init", "--dry-run", ETL_JOBS_DIR=str(jobs)
    ).out  # fmt: skip


@pytest.mark.parametrize(("login", "who"), [(RUNNER, RUNNER), (DEPLOYER, "etl_owner")])
def test_who_may_not_create_schemas_is_told_before_anything_is_done(
    environment: dict[str, str], bare_database: "psycopg.Connection[Any]",
    server_address: Address, login: str, who: str,
) -> None:  # fmt: skip
    """The roles exist, but nobody has given them their rights on this database."""
    name = bare_database.info.dbname
    ran = runner({**environment, "ETL_DSN": server_address.dsn(name, login)})("init")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == (
        f"etl: {who} may not create schemas in database {name}\n"
        "     The owner of the database can allow it: 'etl init --with-roles'.\n"
    )
