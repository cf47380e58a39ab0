"""What is shipped: the wheel that the source distribution makes runs alone; a page names all."""

import re
import shutil
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from etl.db import Connection
from tests.conftest import REPOSITORY, runner
from tests.states import state_folder
from tests.support import add_users

HEADER = (
    "note_id,country_name,latitude,longitude,opened_at,closed_at,days_to_resolution,"
    "opened_by_username,closed_by_username,opening_comment\n"
)
EVERY_COMMAND = (
    ("init", "--dry-run"),
    ("load-notes", "notes.csv"),
    ("plan", "datamart-users"),
    ("status",),
    ("simulate", "--items=1000", "--arrivals=10"),
    ("history",),
    ("verify", "datamart-users"),
    ("doctor",),
    ("bench", "datamart-users", "--items=1", "--workers=1"),
    ("explain", "datamart-users"),
    ("report", "datamart-users", "-o", "report.html"),
    ("metrics",),
    ("pause", "datamart-users"),
    ("resume", "datamart-users"),
    ("cancel", "datamart-users"),
    ("workers", "datamart-users", "2"),
    ("worker", "datamart-users"),
    ("demo", "cache-warm", "--scale=10"),
    ("new-job", "thing-counts"),
    ("psql", "datamart-users", "backlog.sql"),
    ("man",),
    ("cache-warm",),
    ("counter-caches",),
    ("datamart-users", "--max-users=5"),
    ("fix-invoices",),
    ("sql", "show", "views.sql"),
    ("held", "list"),
    ("schedule", "cron", "datamart-users"),
    ("telemetry", "health"),
    ("server", "stop"),
)
"""Each command as somebody tries it on the sample of the demo; the server is stopped at last."""
STATUS = {"telemetry": 2}  # no broker is named


@pytest.fixture
def state() -> Generator[Path]:
    """A state folder whose server is gone afterwards."""
    with state_folder() as folder:
        yield folder


def test_the_wheel_of_the_source_distribution_runs_every_command_alone(
    tmp_path: Path, environment: dict[str, str], state: Path
) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-d", str(tmp_path), "-t"]
    subprocess.run([*build, "sdist"], cwd=REPOSITORY, check=True, capture_output=True)
    (sources,) = tmp_path.glob("*.tar.gz")
    shutil.unpack_archive(sources, tmp_path / "sources", filter="data")
    (unpacked,) = (tmp_path / "sources").iterdir()
    subprocess.run([*build, "wheel"], cwd=unpacked, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    alone = tmp_path / "alone"
    shutil.unpack_archive(wheel, alone, "zip")
    assert (alone / "etl" / "py.typed").exists()
    templates, packed = (
        {path.name for path in (folder / "etl/report/templates").iterdir()}
        for folder in (REPOSITORY, alone)
    )
    assert packed == templates
    run = runner({**environment, "ETL_STATE_DIR": str(state), "PYTHONPATH": str(alone)}, tmp_path)
    ran = run("demo", "--scale=200", "--max-users=20").ended(0)
    assert "20 of 200 users done" in ran.out
    shown = run("sql", "list", "--json")
    assert str(alone / "etl" / "sql") in shown.out
    # A second demo goes on with the next users.
    assert "20 of 180 users done" in run("demo", "--max-users=20").out
    listed = re.findall(r"^  ([a-z][a-z-]+)  ", run("--help").out, re.MULTILINE)
    assert set(listed) == {command[0] for command in EVERY_COMMAND}
    (tmp_path / "notes.csv").write_text(HEADER)
    for command in EVERY_COMMAND:
        run(*command).ended(STATUS.get(command[0], 0))


def test_the_demo_leaves_real_data_alone(
    environment: dict[str, str], dsn: str, connection: Connection
) -> None:
    add_users(connection, "ana")
    runner({**environment, "ETL_DSN": dsn})("demo").ended(
        2, "has data of datamart-users that are no sample"
    )


def test_the_page_of_commands_names_each_and_its_options(environment: dict[str, str]) -> None:
    page = (REPOSITORY / "docs" / "commands.md").read_text()
    run = runner(environment)
    commands = re.findall(r"^  ([a-z][a-z-]+)  ", run("--help").out, re.MULTILINE)
    assert {"init", "load-notes", "datamart-users", "verify", "server", "sql", "demo"} <= set(
        commands
    )
    for command in commands:
        assert f"etl {command}" in page, command
    options = re.findall(r"(--[a-z-]+)", run("datamart-users", "--help").out)
    for option in set(options) - {"--help", "--dsn"}:
        assert option in page, option


def test_help_and_version_need_no_database(environment: dict[str, str]) -> None:
    run = runner({**environment, "ETL_DSN": "host=/nowhere"})
    for arguments in (["--help"], ["--version"], ["datamart-users", "--help"], ["sql", "--help"]):
        ran = run(*arguments)
        assert (ran.status, ran.err) == (0, "")
