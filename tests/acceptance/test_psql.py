"""Every SQL file of the job runs in psql as it stands, and does there what it does here."""

import os
import tempfile
from pathlib import Path

import pytest

from etl import db
from etl.db import Connection
from etl.embedded import EmbeddedServer
from tests.conftest import run_program, shipped_job
from tests.support import DAY, dirty

FOLDER = shipped_job().folder
NOW = f"{DAY}T03:00Z"


def psql(dsn: str, name: str, *options: str, **variables: object) -> list[str]:
    """Run a file of the job in psql. Returns its rows, columns separated by a bar."""
    server = EmbeddedServer.of(Path(tempfile.gettempdir()), os.environ)
    given = [part for key, value in variables.items() for part in ("-v", f"{key}={value}")]
    arguments = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", *options, *given]
    ran = run_program(server.binary("psql"), "-d", dsn, *arguments, "-f", FOLDER / name)
    return ran.ended(0).out.split()


@pytest.fixture
def sample(dsn: str) -> None:
    """The sample data, made by psql."""
    psql(dsn, "sample.sql", "-1", scale=300, as_of=DAY)


@pytest.mark.usefixtures("sample")
def test_the_queries_answer_in_psql_what_they_answer_the_engine(
    dsn: str, connection: Connection
) -> None:
    job = shipped_job()
    values = {"as_of": DAY, "now": NOW, "max_items": 50, "reserved_percent": 10}
    listed = [
        f"{key}|{level}|{weight}"
        for key, level, weight in db.run(connection, job.prioritize, **values)
    ]
    assert psql(dsn, "prioritize.sql", **values) == listed
    assert len(listed) == 50
    everybody = psql(dsn, "prioritize.sql", **{**values, "max_items": "NULL"})
    assert len(everybody) == 300
    counted = [f"{level}|{items}" for level, items, _ in db.run(connection, job.backlog, **values)]
    told = psql(dsn, "backlog.sql", as_of=DAY, now=NOW)
    assert [row.rpartition("|")[0] for row in told if "|" in row] == counted


@pytest.mark.usefixtures("sample")
def test_a_dba_can_refresh_and_verify_by_hand(dsn: str, connection: Connection) -> None:
    before = len(dirty(connection))
    psql(dsn, "process.sql", item_key=7, as_of=DAY)
    assert len(dirty(connection)) == before - 1
    assert psql(dsn, "verify.sql", as_of=DAY) == []
    connection.execute("UPDATE dwh.datamart_users SET opened_total = -1")
    assert psql(dsn, "verify.sql", as_of=DAY)[0].startswith("7|differs")


@pytest.mark.usefixtures("sample")
def test_the_sample_is_the_same_each_time_and_as_large_as_told(connection: Connection) -> None:
    users, facts, digest = connection.execute(
        "SELECT (SELECT count(*) FROM dwh.dimension_users), count(*),"
        " md5(string_agg(md5(f::text), '' ORDER BY note_id, action, action_at)) FROM dwh.facts AS f"
    ).fetchall()[0]
    assert users == 300
    assert 10 * users < facts < 20 * users
    connection.execute("TRUNCATE dwh.facts")
    connection.execute("DELETE FROM dwh.dimension_users")
    connection.execute("ALTER TABLE dwh.dimension_users ALTER dimension_user_id RESTART")
    psql(connection.info.dsn, "sample.sql", "-1", scale=300, as_of=DAY)
    again = connection.execute(
        "SELECT md5(string_agg(md5(f::text), '' ORDER BY note_id, action, action_at))"
        " FROM dwh.facts AS f"
    ).fetchall()[0][0]
    assert again == digest
