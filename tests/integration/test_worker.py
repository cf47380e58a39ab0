"""``etl worker``: a crew beside a cycle, on one host; several hosts are in tests/faults/outages."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from etl.db import Connection
from tests.conftest import REPOSITORY, Etl
from tests.faults.conftest import Start, gate, open_gate, start, wait_until_at_gate

_ = (gate, start)
_BY_WORKER = """
SELECT worker, count(*)::integer FROM etl.attempt WHERE outcome = 'done'
GROUP BY worker ORDER BY worker
"""
POSTGRES = ("--queue=postgres", "--workers=1")


def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((REPOSITORY / "docs/json/worker.schema.json").read_text())
    return found


def test_where_no_cycle_runs_that_is_said_and_all_is_well(etl: Etl) -> None:
    ran = etl("worker", "datamart-users", "--json")
    assert (ran.status, json.loads(ran.out)["cycles"]) == (0, [])
    assert ran.err == "etl: no cycle of datamart-users runs with --queue postgres\n"


def test_a_cycle_with_a_file_queue_cannot_be_joined(
    start: Start, gate: Connection, etl: Etl
) -> None:
    run = start("--workers=1")
    wait_until_at_gate(gate)
    assert (
        "no cycle of datamart-users runs with --queue postgres"
        in etl("worker", "datamart-users").err
    )
    open_gate(gate)
    assert run.end()[0] == 0


def test_a_crew_does_its_share_and_tells_it_as_the_schema_says(
    start: Start, gate: Connection, environment: dict[str, str], dsn: str, tmp_path: Path
) -> None:
    run = start(*POSTGRES)
    wait_until_at_gate(gate)
    crew = subprocess.Popen(
        [sys.executable, "-m", "etl", "worker", "datamart-users", "--workers=2", "--json"],
        env={**environment, "ETL_DSN": dsn, "ETL_STATE_DIR": str(tmp_path / "other")},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while gate.execute("SELECT count(*) FROM etl.attempt").fetchone() != (5,):
        assert crew.poll() is None, crew.communicate()
    open_gate(gate)
    out, err = crew.communicate(timeout=60)
    told = json.loads(out)
    jsonschema.validate(told, schema())
    for key in told:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({name: told[name] for name in told if name != key}, schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**told, "more": 1}, schema())
    status, out, said = run.end()
    by_worker = gate.execute(_BY_WORKER.encode()).fetchall()
    assert (status, json.loads(out)["done"]) == (0, 6), said
    shares = sum(done for worker, done in by_worker if worker > 1000)
    assert (crew.returncode, told["cycles"][0]["done"], shares) == (0, 3, 3), err
    left = "SELECT FROM etl.queue_item UNION ALL SELECT FROM etl.queue_outcome"
    assert gate.execute(left.encode()).rowcount == 0


def test_a_pause_and_a_cancellation_reach_a_crew(
    start: Start, gate: Connection, etl: Etl, environment: dict[str, str], dsn: str
) -> None:
    run = start(*POSTGRES)
    wait_until_at_gate(gate)
    assert etl("pause", "datamart-users").status == 0
    crew = subprocess.Popen(
        [sys.executable, "-m", "etl", "worker", "datamart-users", "--workers=1", "--json"],
        env={**environment, "ETL_DSN": dsn}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert crew.stderr is not None
    while "paused" not in crew.stderr.readline():
        assert crew.poll() is None
    assert etl("cancel", "datamart-users").status == 0
    out, err = crew.communicate(timeout=60)
    assert crew.returncode == 0, err
    assert len(json.loads(out)["cycles"]) == 1
    open_gate(gate)
    status, out, err = run.end()
    assert (status, json.loads(out)["stop_reason"]) == (0, "cancelled"), err
