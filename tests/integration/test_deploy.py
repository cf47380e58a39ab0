"""`etl init` and `etl sql`: versioned SQL files and the database."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from etl.db import Connection
from tests.conftest import Etl, clear, runner


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    """A folder with one more job, which has one numbered file and one procedure."""
    folder = tmp_path / "jobs" / "tally"
    (folder / "schema").mkdir(parents=True)
    (folder / "procedures").mkdir()
    (folder / "job.toml").write_text('title = "Tally"\nunit = "thing"\n')
    (folder / "schema" / "0001_things.sql").write_text(
        "CREATE SCHEMA tally;\nCREATE TABLE tally.thing (a integer);\n"
    )
    (folder / "procedures" / "one.sql").write_text(
        "CREATE OR REPLACE FUNCTION tally.one() RETURNS integer LANGUAGE sql AS 'SELECT 1';\n"
    )
    return folder.parent


@pytest.fixture
def bare(environment: dict[str, str], bare_dsn: str, jobs: Path) -> Etl:
    """The program on a database with nothing in it."""
    return runner({**environment, "ETL_DSN": bare_dsn, "ETL_JOBS_DIR": str(jobs)})


def applied(ran_out: str) -> list[str]:
    return [f"{file['scope']}: {file['name']}" for file in json.loads(ran_out)["applied"]]


def test_init_applies_everything_once(bare: Etl) -> None:
    first = applied(bare("init", "--json").out)
    assert first[0] == "etl: schema/0001_ledger.sql"
    own = [file for file in first if file.startswith("tally: ")]
    assert own == ["tally: schema/0001_things.sql", "tally: procedures/one.sql"]
    second = bare("init")
    assert second.status == 0
    assert second.out.startswith("nothing to do")


def test_dry_run_applies_nothing(bare: Etl) -> None:
    planned = applied(bare("init", "--dry-run", "--json").out)
    assert applied(bare("init", "--json").out) == planned


def test_a_changed_procedure_is_applied_again(bare: Etl, jobs: Path) -> None:
    bare("init")
    path = jobs / "tally" / "procedures" / "one.sql"
    path.write_text(path.read_text().replace("SELECT 1", "SELECT 2"))
    assert applied(bare("init", "--json").out) == ["tally: procedures/one.sql"]


def test_an_edited_numbered_file_is_refused_with_its_line(bare: Etl, jobs: Path) -> None:
    bare("init")
    path = jobs / "tally" / "schema" / "0001_things.sql"
    path.write_text("-- a comment\n" + path.read_text())
    ran = bare("init")
    assert ran.status == 2
    assert f"{path}:1: was edited after it was applied" in ran.err


def test_an_error_names_file_and_line_and_rolls_the_file_back(bare: Etl, jobs: Path) -> None:
    path = jobs / "tally" / "schema" / "0002_wrong.sql"
    path.write_text(
        "CREATE TABLE tally.second (a integer);\n\nSELECT 1,\n  nonsense\nFROM tally.thing;\n"
    )
    ran = bare("init")
    assert clear(ran, 2, f'{path}:4: column "nonsense" does not exist [42703]')
    path.write_text("CREATE TABLE tally.second (a integer);\n")
    assert "tally: schema/0002_wrong.sql" in applied(bare("init", "--json").out)


def test_an_error_at_run_time_names_the_line_of_its_statement(bare: Etl, jobs: Path) -> None:
    path = jobs / "tally" / "schema" / "0002_wrong.sql"
    path.write_text("SELECT 1;\n-- two\nSELECT\n 1 / 0;\n")
    assert f"{path}:3: division by zero [22012]" in bare("init").err


def test_files_out_of_order_or_without_number_are_refused(bare: Etl, jobs: Path) -> None:
    schema = jobs / "tally" / "schema"
    (schema / "0003_third.sql").write_text("SELECT 3;\n")
    bare("init")
    (schema / "0002_second.sql").write_text("SELECT 2;\n")
    assert "comes before schema/0003_third.sql, which is applied" in bare("init").err
    (schema / "0002_second.sql").unlink()
    (schema / "0003_again.sql").write_text("SELECT 3;\n")
    assert "has the number of" in bare("init").err
    (schema / "0003_again.sql").rename(schema / "again.sql")
    assert "has no number and title" in bare("init").err


def test_eight_at_once_apply_each_file_once(
    environment: dict[str, str], bare_dsn: str, bare: Etl
) -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "etl", "init", "--json"],
            env={**environment, "ETL_DSN": bare_dsn},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    ended = [(process.communicate(), process.returncode) for process in started]
    assert [status for _, status in ended] == [0] * 8
    files = [name for (out, _), _ in ended for name in applied(out)]
    assert len(files) == len(set(files)) > 10
    granted = [str(file) for (out, _), _ in ended for file in json.loads(out)["granted"]]
    assert len(granted) == len(set(granted)) > 3


def test_list_tells_how_files_and_database_differ(bare: Etl, jobs: Path) -> None:
    assert "pending  etl/schema/0001_ledger.sql" in bare("sql", "list").out
    bare("init")
    schema, procedures = jobs / "tally" / "schema", jobs / "tally" / "procedures"
    (schema / "0001_things.sql").write_text("CREATE TABLE other (a integer);\n")
    (procedures / "one.sql").write_text("SELECT 1;\n")
    (procedures / "two.sql").write_text("SELECT 2;\n")
    states = {
        file["name"]: file["state"]
        for file in json.loads(bare("sql", "list", "--json").out)
        if file["scope"] == "tally"
    }
    assert states == {
        "schema/0001_things.sql": "edited",
        "procedures/one.sql": "changed",
        "procedures/two.sql": "pending",
    }
    shown = bare("sql", "show", "0001_things.sql").out
    assert "-CREATE TABLE tally.thing (a integer);" in shown
    assert "+CREATE TABLE other (a integer);" in shown


def test_show_prints_a_file_and_refuses_an_unknown_name(bare: Etl) -> None:
    assert "CREATE SCHEMA etl" in bare("sql", "show", "0001_ledger.sql").out
    ran = bare("sql", "show", "nothing.sql")
    assert ran.status == 2
    assert "it names none" in ran.err


def test_a_cycle_without_schema_says_run_etl_init(bare: Etl) -> None:
    ran = bare("datamart-users")
    assert ran.status == 2
    assert "the database has no schema of etl yet" in ran.err
    assert "Run 'etl init'" in ran.err


def test_a_cycle_with_an_older_schema_says_run_etl_init(etl: Etl, connection: Connection) -> None:
    connection.execute("DELETE FROM etl.applied_file WHERE name LIKE '%histogram%'")
    ran = etl("datamart-users")
    assert ran.status == 2
    assert "lacks 1 SQL file(s), first datamart_users: procedures/histogram.sql" in ran.err


def test_a_database_newer_than_the_code_is_refused(etl: Etl, connection: Connection) -> None:
    connection.execute(
        "INSERT INTO etl.applied_file (scope, name, kind, checksum, content, etl_version)"
        " VALUES ('datamart_users', 'schema/0099_future.sql', 'schema', '', '', '9.0')"
    )
    for command in ("init", "datamart-users"):
        ran = etl(command)
        assert ran.status == 2
        assert "the database is newer than this etl" in ran.err
        assert "applied by etl 9.0" in ran.err
    listed = json.loads(etl("sql", "list", "--json").out)
    (unknown,) = [file["name"] for file in listed if file["state"] == "unknown"]
    assert unknown == "schema/0099_future.sql"


def test_a_broken_job_folder_leaves_the_other_jobs_running(
    etl: Etl, jobs: Path, tmp_path: Path
) -> None:
    (jobs / "tally" / "job.toml").write_text('title = "Tally"\nunit = \n')
    ran = etl("tally", ETL_JOBS_DIR=str(jobs))
    assert ran.status == 2
    assert f"{jobs}/tally/job.toml:2: Invalid value" in ran.err
    assert etl("datamart-users", ETL_JOBS_DIR=str(jobs)).status == 0
    shutil.rmtree(jobs / "tally")
    assert etl("datamart-users", "--jobs-dir", jobs).status == 2
    assert etl("--jobs-dir", jobs, "datamart-users").status == 0
    ran = etl("--jobs-dir", tmp_path / "none", "datamart-users")
    assert (ran.status, "No such file or directory" in ran.err) == (2, True)


def test_a_job_with_a_missing_file_is_refused_by_name(etl: Etl, jobs: Path) -> None:
    etl("init", ETL_JOBS_DIR=str(jobs))
    ran = etl("tally", ETL_JOBS_DIR=str(jobs))
    assert ran.status == 2
    assert f"{jobs}/tally/prioritize.sql: No such file" in ran.err
