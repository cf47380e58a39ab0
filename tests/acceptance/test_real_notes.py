"""The whole way on the published notes of OpenStreetMap: 314,810 notes, 63,887 users.

The file is not part of this repository; ETL_TEST_NOTES names it. Without it these tests are
left out, and say so; where CI is set they fail instead.
"""

import gzip
import os
from collections.abc import Generator
from dataclasses import asdict
from pathlib import Path

import psycopg
import pytest

from etl.db import Connection, Target, connect
from tests.conftest import RUNNER, Address, Etl, load_schema, runner

pytestmark = pytest.mark.real_notes
AS_OF = "--as-of=2026-01-16"

# The cascade, written anew from the facts alone: no activity columns, no levels.
CASCADE = """
SELECT u.dimension_user_id::text
FROM dwh.dimension_users AS u
LEFT JOIN (
    SELECT action_dimension_id_user AS id, count(*) AS total, max(action_at) AS latest
    FROM dwh.facts GROUP BY action_dimension_id_user
) AS f ON f.id = u.dimension_user_id
WHERE u.modified
ORDER BY
    CASE
        WHEN f.latest >= timestamp '2026-01-09' THEN 1
        WHEN f.latest >= timestamp '2025-12-17' THEN 2
        WHEN f.latest >= timestamp '2025-10-18' THEN 3
        ELSE 4
    END,
    CASE WHEN f.total > 100 THEN 1 WHEN f.total > 10 THEN 2 ELSE 3 END,
    coalesce(f.total, 0) DESC,
    f.latest DESC NULLS LAST,
    u.dimension_user_id
LIMIT 500
"""


@pytest.fixture(scope="module")
def notes() -> Path:
    named = os.environ.get("ETL_TEST_NOTES")
    if named:
        return Path(named)
    if os.environ.get("CI"):
        pytest.fail("ETL_TEST_NOTES must name the published notes in CI")
    pytest.skip("SKIPPED LOUDLY: ETL_TEST_NOTES names no file of published notes")


@pytest.fixture(scope="module")
def real_dsn(server_address: Address) -> Generator[str]:
    """A database of these tests' own, kept through all of them."""
    with psycopg.connect(server_address.dsn(), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS real_notes WITH (FORCE)")
        connection.execute("CREATE DATABASE real_notes")
        load_schema(**asdict(server_address), dbname="real_notes")
        yield server_address.dsn("real_notes", RUNNER)
        connection.execute("DROP DATABASE real_notes WITH (FORCE)")


@pytest.fixture
def real(real_dsn: str) -> Generator[Connection]:
    with connect(Target.parse(real_dsn), "tests") as connection:
        yield connection


@pytest.fixture
def etl_real(environment: dict[str, str], real_dsn: str, notes: Path) -> Etl:
    """The program on it, for tests that need the notes loaded by the first of them."""
    assert notes.exists()
    return runner({**environment, "ETL_DSN": real_dsn})


def count(connection: Connection, query: str) -> int:
    (number,) = connection.execute(query.encode()).fetchall()[0]
    return int(number)


def test_1_the_file_loads_whole(etl_real: Etl, real: Connection, notes: Path) -> None:
    rejects = notes.with_name(f"{notes.name}.rejects.csv")
    existed = rejects.exists()
    ran = etl_real("load-notes", notes, "--json")
    report = ran.record
    if not existed:
        Path(report["rejects_file"]).unlink()
    ran.ended(0, notes=314_810, rejected=162, new_facts=629_620, new_anonymous=84_383)
    assert report["users"] == report["new_users"] == report["users_dirtied"] == 63_887
    assert count(real, "SELECT count(*) FROM dwh.facts") == 629_620
    assert count(real, "SELECT count(*) FROM dwh.dimension_users WHERE modified") == 63_887
    assert count(real, "SELECT count(*) FROM dwh.dimension_countries") == 164


def test_2_the_first_500_are_those_of_the_cascade(
    etl_real: Etl, real: Connection, environment: dict[str, str]
) -> None:
    expected = [key for (key,) in real.execute(CASCADE.encode())]
    options = ("--max-users=500", "--reserved-percent=0", "--json")
    etl_real("datamart-users", AS_OF, *options).told(found=63_887, done=500, remaining=63_387)
    (queue,) = Path(environment["ETL_STATE_DIR"]).glob("cycles/*/*/*/queue.tsv")
    assert [line.split("\t")[0] for line in queue.read_text().splitlines()[1:]] == expected
    refreshed = real.execute("SELECT dimension_user_id::text FROM dwh.datamart_users").fetchall()
    assert {key for (key,) in refreshed} == set(expected)


def test_3_cycles_drain_everybody_and_every_row_is_right(etl_real: Etl, real: Connection) -> None:
    remaining = 63_387
    while remaining:
        options = ("--max-users=30000", "--workers=2", "--json")
        record = etl_real("datamart-users", AS_OF, *options).ended(0).record
        assert record["found"] == remaining == record["done"] + record["remaining"]
        remaining = record["remaining"]
    assert count(real, "SELECT count(*) FROM dwh.datamart_users") == 63_887
    assert count(real, "SELECT count(*) FROM dwh.dimension_users WHERE modified") == 0
    etl_real("verify", "datamart-users", AS_OF, "--json").told(wrong=0, items=[])
    done = count(real, "SELECT count(*) FROM etl.attempt WHERE outcome = 'done'")
    assert done == count(real, "SELECT sum(done) FROM etl.cycle") == 63_887


def test_4_a_second_load_is_nothing_new(etl_real: Etl, real: Connection, notes: Path) -> None:
    packed = gzip.decompress(notes.read_bytes())
    ran = etl_real("load-notes", "-", "--json", stdin=packed)
    Path(ran.record["rejects_file"]).unlink()
    ran.told(new_facts=0, new_users=0, users_dirtied=0)
    assert count(real, "SELECT count(*) FROM dwh.dimension_users WHERE modified") == 0


def test_5_days_later_the_clock_has_made_some_dirty_and_the_others_are_right(
    etl_real: Etl, real: Connection
) -> None:
    later = "--as-of=2026-02-20"
    etl_real("verify", "datamart-users", later, "--json").told(wrong=0)
    record = etl_real("datamart-users", later, "--max-users=5000", "--json").record
    assert 500 < record["found"] == record["done"] < 5000
    etl_real("verify", "datamart-users", later, "--json").told(wrong=0)
