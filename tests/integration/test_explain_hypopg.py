"""Suggestions are tried where the server has hypopg: on a server of its own that has it."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from etl.db import Connection, connect
from etl.embedded import EmbeddedServer
from tests.conftest import Etl, runner
from tests.states import own_server

DEBIAN = Path("/usr/share/postgresql")


def bindir() -> Path:
    """The programs of an installed server that has the extension."""
    found = sorted(DEBIAN.glob("*/extension/hypopg.control"))
    if not found:
        missing = "no server with hypopg: apt-get install postgresql-15 postgresql-15-hypopg"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return Path("/usr/lib/postgresql") / found[-1].parent.parent.name / "bin"


@pytest.fixture(scope="module")
def server() -> Generator[EmbeddedServer]:
    with own_server({**os.environ, "ETL_PG_BIN": str(bindir())}) as own:
        yield own


@pytest.fixture
def superuser(server: EmbeddedServer) -> Generator[Connection]:
    with connect(server.target, "tests") as connected:
        yield connected


def test_what_the_planner_would_not_use_is_not_suggested(
    server: EmbeddedServer, superuser: Connection, environment: dict[str, str], tmp_path: Path
) -> None:
    etl: Etl = runner({**environment, "ETL_DSN": server.target.dsn})
    assert etl("init").status == 0
    superuser.execute(
        "INSERT INTO dwh.dimension_users (username) SELECT 'u' || i"
        " FROM generate_series(1, 8000) AS i"
    )
    superuser.execute("UPDATE dwh.dimension_users SET modified = dimension_user_id % 1000 = 0")
    superuser.execute(
        "INSERT INTO dwh.facts (action, note_id, action_at, action_dimension_id_user,"
        " opened_dimension_id_user, dimension_id_country) SELECT 'opened', i,"
        " '2020-01-01'::timestamp, 1 + i % 8000, 1 + i % 8000, 1"
        " FROM generate_series(1, 16000) AS i"
    )
    superuser.execute("UPDATE dwh.dimension_users SET modified = dimension_user_id % 1000 = 0")
    superuser.execute("DROP INDEX dwh.dimension_users_dirty, dwh.facts_of_user")
    superuser.execute("VACUUM ANALYZE dwh.dimension_users, dwh.facts")
    superuser.execute("SELECT pg_stat_force_next_flush()")
    superuser.execute('CREATE SCHEMA "what if"')
    superuser.execute('CREATE EXTENSION hypopg SCHEMA "what if"')
    ran = etl("explain", "datamart-users")
    assert ran.status == 0, ran.err
    out = " ".join(ran.out.split())
    # The listing is planned as it is; what a procedure does, by the columns that it asks for.
    used = "(checked with hypopg: the planner would use it, the cost of"
    assert f"ON dwh.dimension_users (dimension_user_id) WHERE modified; {used} the statement" in out
    assert f"dimension_id_country, note_id); {used} this read goes from" in out
    assert "unchecked" not in out
    indexes = superuser.execute(
        "SELECT count(*) FROM pg_indexes WHERE indexdef LIKE '%modified' OR tablename = 'facts'"
    )
    assert indexes.fetchall() == [(3,)], "one of them was made"
    # Where reading an index costs as much as reading anything, no index is of use.
    superuser.execute("ALTER ROLE CURRENT_USER SET random_page_cost = 1000000")
    superuser.execute("ALTER ROLE CURRENT_USER SET cpu_index_tuple_cost = 1000000")
    ran = etl("explain", "datamart-users")
    assert "reads dwh.dimension_users as a whole" in ran.out
    assert "CREATE INDEX" not in ran.out
