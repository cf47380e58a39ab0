"""A short chaos run; `make chaos KILLS=1000` is the long one."""

import os
import subprocess
import sys
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.chaos.__main__ import table
from tests.chaos.cycle import AS_OF
from tests.chaos.invariants import Reckoning, broken_promises, reckon
from tests.chaos.plan import Kind, draw
from tests.chaos.run import run
from tests.chaos.warehouse import Warehouse
from tests.conftest import REPOSITORY, runner
from tests.faults.servers import OwnServer

SEED = 20260116


def test_a_seed_is_a_plan() -> None:
    assert draw(SEED, 100, 50) == draw(SEED, 100, 50) != draw(SEED + 1, 100, 50)
    assert {fault.kind for fault in draw(SEED, len(Kind), 50)} == set(Kind)


def test_every_invariant_holds_after_faults_of_every_kind() -> None:
    said: list[str] = []
    report = run(SEED, 28, 2, 1500, said.append)
    assert report.broken == [], "\n".join([f"seed {SEED}", *said, table(report)])
    assert len(report.hit) == len(Kind) or report.missed


@pytest.fixture
def warehouse(tmp_path: Path) -> Generator[Warehouse]:
    with OwnServer({"track_commit_timestamp": "on"}) as server:
        yield Warehouse(server, tmp_path, 20)


def test_broken_promises_are_noticed(warehouse: Warehouse, tmp_path: Path) -> None:
    with warehouse.connect() as connection:
        etl = runner({**os.environ, "ETL_DSN": warehouse.dsn, "ETL_STATE_DIR": str(tmp_path)})
        assert etl("datamart-users", AS_OF).status == 0
        assert broken_promises(warehouse, etl, tmp_path) == []
        assert reckon(connection, [], [], 0) == Reckoning(commits=20)

        # A refresh that no cycle knows of, and that began before the last one ended.
        connection.execute(
            "INSERT INTO chaos.refresh"
            " SELECT user_id, pg_current_xact_id(), '2026-01-01' FROM chaos.refresh LIMIT 1"
        )
        # An item that is told as done twice, once without a commit.
        connection.execute("INSERT INTO etl.attempt SELECT * FROM etl.attempt LIMIT 1")
        found = reckon(connection, [], [], 0)
        assert (found.commits, found.unacknowledged, len(found.broken)) == (21, 1, 3)
        assert reckon(connection, [(datetime.now(UTC), datetime.now(UTC))], [], 1).taken_back == 1

        connection.execute(
            "UPDATE dwh.dimension_users SET modified = TRUE WHERE dimension_user_id = 1"
        )
        connection.execute("SET chaos.begun_at = '2026-01-02'")  # as a refresh sets it
        connection.execute("UPDATE dwh.datamart_users SET opened_total = -1")
        connection.execute("DELETE FROM dwh.facts WHERE action_dimension_id_user = 1")
        (tmp_path / "cycles" / "a" / "b" / "cycle-0").mkdir(parents=True)
        with start_idle(tmp_path) as process:
            broken = "\n".join(broken_promises(warehouse, etl, tmp_path))
            process.kill()
    for word in ("dirty", "facts", "verify", "2 done attempts", "etl.attempt has", "queues are"):
        assert word in broken
    assert f"process {process.pid} is left over" in broken


def start_idle(state: Path) -> "subprocess.Popen[bytes]":
    """A process of the program that does nothing: a worker waits for its orders."""
    return subprocess.Popen(
        [sys.executable, "-m", "etl.worker"],
        stdin=subprocess.PIPE,
        cwd=REPOSITORY,
        env={**os.environ, "ETL_STATE_DIR": str(state)},
    )
