"""`etl psql` and bin/etl-psql: a job's file in psql, with values that stay values."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from etl.db import Connection
from tests.conftest import REPOSITORY, Etl, Ran, etl_program, run_program
from tests.support import DAY, add_facts, add_users, dirty, opened, refresh_all, user_ids

EtlPsql = Callable[..., Ran]


@pytest.fixture
def etl_psql(tmp_path: Path, environment: dict[str, str], dsn: str) -> EtlPsql:
    """Runs the script from another folder."""
    program = str(etl_program(tmp_path))
    known = {**environment, "ETL_COMMAND": program, "PYTHONPATH": str(REPOSITORY)}

    def run(*arguments: str, **more: str) -> Ran:
        program = REPOSITORY / "bin" / "etl-psql"
        return run_program(program, *arguments, env={**known, "ETL_DSN": dsn, **more}, cwd="/")

    return run


@pytest.fixture
def users(connection: Connection) -> dict[str, int]:
    """Two users, both dirty; one has a fact of the day."""
    add_users(connection, "ana", "bo")
    add_facts(connection, [opened(1, f"{DAY} 10:00", "ana")])
    return user_ids(connection)


def test_it_lists_counts_refreshes_and_verifies(
    etl_psql: EtlPsql, users: dict[str, int], connection: Connection
) -> None:
    listed = etl_psql("datamart-users", "prioritize.sql", "max_items=1", f"as_of={DAY}")
    assert (listed.status, listed.err) == (0, "")
    assert f"{users['ana']} |     1" in listed.out
    assert "(1 row)" in listed.out
    assert "(2 rows)" in etl_psql("datamart_users", "prioritize").out
    counted = etl_psql("datamart-users", "backlog.sql", f"as_of={DAY}").out.splitlines()
    assert [row.split(" | ")[:2] for row in counted[2:4]] == [
        ["     1", "    1"],
        ["     6", "    1"],
    ]
    process = ["datamart-users", "process.sql", f"as_of={DAY}"]
    assert etl_psql(*process, f"item_key={users['ana']}").status == 0
    assert dirty(connection) == {"bo"}
    refresh_all(connection)
    assert "(0 rows)" in etl_psql("datamart-users", "verify.sql", f"as_of={DAY}").out


@pytest.mark.parametrize("value", ["1; DELETE FROM dwh.facts", "now()", "1\n;"])
def test_a_value_that_would_become_sql_is_refused(etl_psql: EtlPsql, value: str) -> None:
    etl_psql("datamart-users", "process.sql", f"item_key={value}").ended(
        2, "item_key must be a number, NULL, TRUE or FALSE"
    )


@pytest.mark.usefixtures("users")
def test_a_quoted_variable_takes_any_text_and_an_error_ends_it(
    etl_psql: EtlPsql, connection: Connection
) -> None:
    text = "'; DELETE FROM dwh.facts; --"
    etl_psql("datamart-users", "prioritize.sql", f"as_of={text}").ended(
        3, f'invalid input syntax for type date: "{text}"'
    )
    assert connection.execute("SELECT FROM dwh.facts").rowcount == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["datamart-users", "process.sql"], "needs a value of item_key"),
        (["datamart-users", "verify.sql", "ON_ERROR_STOP=0"], "has no variable ON_ERROR_STOP"),
        (["datamart-users", "verify.sql", "as_of"], "'as_of' is no variable"),
        (["datamart-users", "../../../etc/passwd"], "has no file"),
        (["nothing", "verify.sql"], "there is no job nothing"),
    ],
)
def test_a_mistake_is_one_clear_error(etl_psql: EtlPsql, arguments: list[str], said: str) -> None:
    etl_psql(*arguments).ended(2, said)


def test_a_password_is_no_argument_of_psql(etl: Etl, dsn: str, tmp_path: Path) -> None:
    """A psql that tells its arguments and environment, found as the system's is."""
    (tmp_path / "psql").write_text('#!/bin/sh\necho "$@"; echo "in environment: $PGPASSWORD"\n')
    (tmp_path / "psql").chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    password = f"{dsn} password=geheim keepalives_idle=7"
    ran = etl("psql", "datamart-users", "verify", ETL_DSN=password, ETL_PG_BIN="", PATH=path)
    arguments, told = ran.out.splitlines()
    assert "geheim" not in arguments
    assert "keepalives_idle=7" in arguments
    assert told == "in environment: geheim"


def test_without_etl_the_script_says_what_it_needs(tmp_path: Path) -> None:
    alone = shutil.copy(REPOSITORY / "bin" / "etl-psql", tmp_path / "etl-psql")
    run_program(alone, "x", "y", env={"PATH": "/usr/bin:/bin"}).ended(2, "etl-psql: no etl")
