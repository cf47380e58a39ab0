"""The job on a schema that sql/scale has made fit for distribution, and on Citus if there is one.

``ETL_TEST_CITUS_DSN`` names an empty database of a Citus cluster, as a superuser, with the
extension created and at least one node; afterwards it is empty again. Without it the test on
Citus is left out, and says so; CI has no Citus.
"""

import os
from collections.abc import Generator

import pytest

from etl import db
from etl.db import Connection, Target, connect
from etl.folders import sql_folder
from etl.sqlfile import statements
from tests.conftest import Etl, runner
from tests.support import DAY

SCALE = sql_folder() / "scale"
AS_OF = f"--as-of={DAY}"
# A loader of its own: ids are given, facts written, those concerned marked, activity kept.
FACTS = """
INSERT INTO dwh.facts (
    note_id, action, action_at, action_dimension_id_user, opened_dimension_id_user,
    dimension_id_country, days_to_resolution
)
SELECT
    n, 'opened'::dwh.note_action, timestamp '2026-01-01 10:00' + n * interval '1 h',
    n % 20 + 1, n % 20 + 1, 1, NULL
FROM generate_series(1, 100) AS n
UNION ALL
SELECT n, 'closed'::dwh.note_action, timestamp '2026-01-08 10:00', n % 7, n % 20 + 1, 1, 3
FROM generate_series(1, 50) AS n
"""
MARK = """
UPDATE dwh.dimension_users AS u
SET modified = TRUE, total_actions = f.actions, last_action_at = f.latest_at
FROM (
    SELECT action_dimension_id_user AS user_id, count(*) AS actions, max(action_at) AS latest_at
    FROM dwh.facts GROUP BY action_dimension_id_user
) AS f
WHERE u.dimension_user_id = f.user_id
"""
EXPECTED = """
SELECT
    u.dimension_user_id,
    (SELECT count(*) FROM dwh.facts AS f
     WHERE f.action_dimension_id_user = u.dimension_user_id AND f.action = 'opened'),
    (SELECT count(*) FROM dwh.facts AS f
     WHERE f.action_dimension_id_user = u.dimension_user_id AND f.action = 'closed'),
    (SELECT count(DISTINCT f.note_id) FROM dwh.facts AS f
     WHERE f.opened_dimension_id_user = u.dimension_user_id AND f.action = 'closed')
FROM dwh.dimension_users AS u ORDER BY 1
"""
STORED = """
SELECT dimension_user_id, opened_total, closed_total, opened_and_resolved
FROM dwh.datamart_users ORDER BY 1
"""


def apply(connection: Connection, name: str, **values: object) -> None:
    for statement in statements(SCALE / name):
        db.run(connection, statement, **values)


def fill(connection: Connection) -> None:
    connection.execute(
        "INSERT INTO dwh.dimension_countries (dimension_country_id, country_name)"
        " VALUES (1, 'Colombia')"
    )
    connection.execute(
        "INSERT INTO dwh.dimension_users (dimension_user_id, username)"
        " SELECT n, 'user' || n FROM generate_series(1, 20) AS n"
    )
    connection.execute(FACTS.encode())
    connection.execute(MARK.encode())


def cycle_is_right(connection: Connection, etl: Etl) -> None:
    etl("datamart-users", AS_OF, "--workers=1").ended(0)
    assert connection.execute("SELECT count(*) FROM dwh.datamart_users").fetchone() == (20,)
    stored = connection.execute(STORED.encode()).fetchall()
    assert stored == connection.execute(EXPECTED.encode()).fetchall()
    dirty = connection.execute("SELECT count(*) FROM dwh.dimension_users WHERE modified")
    assert dirty.fetchone() == (0,)


def by_function_is_right(connection: Connection) -> None:
    (statement,) = statements(SCALE / "process.sql")
    for user in range(1, 21):
        db.run(connection, statement, item_key=user, as_of=DAY)
    stored = connection.execute(STORED.encode()).fetchall()
    assert stored == connection.execute(EXPECTED.encode()).fetchall()


def test_the_job_runs_on_the_prepared_schema(connection: Connection, etl: Etl) -> None:
    with connection.transaction():
        apply(connection, "prepare.sql")
    fill(connection)
    cycle_is_right(connection, etl)


def test_the_function_for_citus_does_the_same(connection: Connection) -> None:
    with connection.transaction():
        apply(connection, "prepare.sql")
    apply(connection, "refresh_user.sql")
    fill(connection)
    by_function_is_right(connection)


def test_bytes_per_row_are_those_that_the_server_tells(connection: Connection) -> None:
    connection.execute(
        "INSERT INTO dwh.dimension_users (username)"
        " SELECT n::text FROM generate_series(1, 900) AS n"
    )
    connection.execute("ANALYZE dwh.dimension_users")
    (statement,) = statements(SCALE / "bytes_per_row.sql")
    told = {row[0]: row[1:] for row in db.run(connection, statement, schema="dwh")}
    (table, indexes, total), rows = told["dimension_users"][1:], told["dimension_users"][0]
    assert rows == 900
    sizes = connection.execute(
        "SELECT pg_table_size(c)::numeric / 900, pg_indexes_size(c)::numeric / 900"
        " FROM (SELECT 'dwh.dimension_users'::regclass AS c) AS x"
    ).fetchall()[0]
    assert float(indexes) == pytest.approx(float(sizes[1]), abs=0.06)
    assert float(total) == pytest.approx(float(sum(sizes)), abs=0.06)
    assert table <= total - indexes


@pytest.fixture
def citus() -> Generator[Connection]:
    """An empty database of a cluster, empty again afterwards."""
    dsn = os.environ.get("ETL_TEST_CITUS_DSN")
    if not dsn:
        pytest.skip("SKIPPED LOUDLY: ETL_TEST_CITUS_DSN names no server with Citus")
    with connect(Target.parse(dsn), "tests") as connection:
        yield connection
        connection.execute("DROP SCHEMA IF EXISTS dwh, etl CASCADE")


def test_the_job_runs_on_citus(citus: Connection, environment: dict[str, str]) -> None:
    dsn = os.environ["ETL_TEST_CITUS_DSN"]
    etl = runner({**environment, "ETL_DSN": dsn})
    assert etl("init").status == 0
    with citus.transaction():
        apply(citus, "prepare.sql")
        apply(citus, "refresh_user.sql")
        apply(citus, "distribute.sql", shards="4")
    fill(citus)
    placed = citus.execute(
        "SELECT count(DISTINCT colocation_id) FROM citus_tables"
        " WHERE citus_table_type = 'distributed'"
    )
    assert placed.fetchone() == (1,)
    cycle_is_right(citus, etl)
    citus.execute("DELETE FROM dwh.datamart_users")
    by_function_is_right(citus)
