"""A server that stops answering without closing: frozen on the way, or stopped."""

import shutil
from pathlib import Path

import pytest

from etl import folders
from etl.db import Connection
from tests.faults.conftest import Run, Start, wait_until_at_gate, wait_until_disconnected
from tests.faults.outages.conftest import Cycles
from tests.faults.proxy import Proxy
from tests.faults.servers import OwnServer
from tests.gates import open_gate


@pytest.fixture
def quick_job(tmp_path: Path) -> dict[str, str]:
    """The job with a statement timeout of two seconds, as `etl quick-users`."""
    folder = tmp_path / "jobs" / "quick_users"
    shutil.copytree(folders.sql_folder() / "jobs" / "datamart_users", folder)
    toml = folder / "job.toml"
    toml.write_text(toml.read_text().replace('"60s"', '"2s"'))
    for name in ("schema", "procedures"):  # the database has them already
        shutil.rmtree(folder / name)
    for name in ("prioritize.sql", "backlog.sql"):
        text = (folder / name).read_text()
        (folder / name).write_text(text.replace("'datamart_users'", "'quick_users'"))
    return {"ETL_JOBS_DIR": str(folder.parent)}


def test_nobody_waits_for_ever_on_a_connection_that_is_silent(
    start_by_proxy: Start, gate: Connection, proxy: Proxy, cycles: Cycles, quick_job: dict[str, str]
) -> None:
    run = start_by_proxy("--workers=1", job="quick-users", **quick_job)
    wait_until_at_gate(gate)
    proxy.freeze()  # the connections of worker and supervisor; new ones are answered
    run.ended(1, "[08006]", done=5, failed=1, orphaned=0)
    open_gate(gate)
    wait_until_disconnected(gate)
    cycles.assert_the_next_needs_no_clean_up()


def test_a_server_process_that_has_stopped_costs_its_item_an_attempt(
    start: Start, gate: Connection, server: OwnServer, cycles: Cycles, quick_job: dict[str, str]
) -> None:
    run = start("--workers=1", job="quick-users", **quick_job)
    backend = wait_until_at_gate(gate)
    server.suspend(backend)
    run.ended(1, "[08006]", done=5, failed=1, orphaned=0)
    gate.execute("SELECT pg_terminate_backend($1)", [backend])
    server.resume_all()
    open_gate(gate)
    wait_until_disconnected(gate)
    cycles.assert_the_next_needs_no_clean_up()


def test_a_supervisor_whose_server_process_has_stopped_goes_on_by_another(
    run: Run, gate: Connection, server: OwnServer, cycles: Cycles
) -> None:
    ((backend,),) = gate.execute(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'etl:datamart-users'"
    ).fetchall()
    server.suspend(backend)
    run.wait_for("lost the database")  # after 20 seconds without an answer
    # It ends the session that still holds its lock, as soon as that can be ended.
    server.resume_all()
    run.wait_for("found the database again")
    open_gate(gate)
    run.ended(0, done=6)
    cycles.assert_the_next_needs_no_clean_up()
