"""A database of any version there was becomes one of this version by `etl init`, and goes on."""

import gzip
import os
import subprocess
import tempfile
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from etl import deploy
from etl.db import Connection, Target, connect
from etl.deploy import roles
from etl.embedded import EmbeddedServer
from tests.conftest import DEPLOYER, RUNNER, Address, Etl, runner, shipped_jobs
from tests.upgrade.__main__ import FOLDER

VERSIONS = sorted(FOLDER.glob("*.sql.gz"))
FAILED = {"datamart-users": 0, "counter-caches": 0, "fix-invoices": 3, "cache-warm": 0}
"""Items of each job that no cycle can do: invoices of the sample without a rate."""


@pytest.fixture
def runner_dsn(bare_database: "psycopg.Connection[Any]", server_address: Address) -> str:
    """A database with nothing in it, as the runner."""
    return server_address.dsn(bare_database.info.dbname, RUNNER)


@pytest.fixture
def runs(environment: dict[str, str], runner_dsn: str) -> Etl:
    return runner({**environment, "ETL_DSN": runner_dsn})


@pytest.fixture
def superuser(runner_dsn: str, server_address: Address) -> Generator[Connection]:
    with connect(Target.parse(f"{runner_dsn} user={server_address.user}"), "tests") as connected:
        yield connected


def restore(path: Path, dsn: str) -> None:
    """Bring a dump into an empty database."""
    psql = EmbeddedServer.of(Path(tempfile.gettempdir()), os.environ).binary("psql")
    command = [str(psql), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", dsn]
    done = subprocess.run(command, input=gzip.decompress(path.read_bytes()), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def cycles(runs: Etl) -> list[dict[str, Any]]:
    """What `etl history` tells, the last first."""
    (told,) = runs("history", "datamart-users", "--json").record["jobs"]
    return list(told["cycles"])


@pytest.mark.parametrize("path", VERSIONS, ids=lambda path: path.name.removesuffix(".sql.gz"))
def test_a_database_of_this_version_is_upgraded_and_goes_on(
    path: Path, superuser: Connection, server_address: Address, runs: Etl
) -> None:
    dbname = superuser.info.dbname
    restore(path, server_address.dsn(dbname))
    attempts = superuser.execute("SELECT count(*) FROM etl.attempt").fetchall()
    runs("init", ETL_DSN=server_address.dsn(dbname, DEPLOYER)).ended(0)
    assert superuser.execute("SELECT count(*) FROM etl.attempt").fetchall() == attempts
    held = runs("held", "list", "datamart-users", "--json").record
    assert {one["message"] for one in held} == {"not these"}
    assert len(cycles(runs)) == 2
    for job, failed in FAILED.items():
        runs("held", "release", job, "--all")
        runs(job, "--verify", "--json").told(failed=failed, remaining=0)
    assert [cycle["remaining"] for cycle in cycles(runs)] == [0, 20, 30]


def test_rows_of_the_first_numbered_files_live_through_all_later_ones(
    superuser: Connection, server_address: Address, runs: Etl
) -> None:
    roles.create(superuser)
    for file in deploy.pending(superuser, shipped_jobs()):
        if file.kind == "schema" and Path(file.name).name.startswith("0001_"):
            deploy.apply(superuser, file)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    superuser.execute(
        "INSERT INTO etl.cycle (job, started_at, finished_at, host, pid, etl_version, as_of,"
        " max_items, workers, found, done, failed, remaining, stop_reason) VALUES"
        " ('datamart_users', $1, $1, 'old', 1, '0.0', '2026-01-01', 10, 1, 3, 1, 1, 1, 'limit')",
        [at],
    )
    superuser.execute(
        "INSERT INTO etl.attempt (cycle_id, item_key, level, worker, outcome, finished_at) VALUES"
        " (1, '1', 1, 1, 'done', $1), (1, '2', 1, 1, 'failed', $1)",
        [at],
    )
    superuser.execute(
        "INSERT INTO etl.held_item (job, item_key, attempts, held_until, last_cycle_id,"
        " last_outcome) VALUES ('datamart_users', '2', 1, $1, 1, 'failed')",
        [at],
    )
    superuser.execute(
        "INSERT INTO dwh.dimension_users (username, modified)"
        " VALUES ('ana', TRUE), ('ben', TRUE), ('eva', TRUE)"
    )
    runs("init", ETL_DSN=server_address.dsn(superuser.info.dbname, DEPLOYER)).ended(0)
    runs("datamart-users", "--verify", "--json").told(done=3, remaining=0, wrong=0)
    assert [(cycle["done"], cycle["failed"]) for cycle in cycles(runs)] == [(3, 0), (1, 1)]
    assert runs("report", "datamart-users", "--json").status == 0
