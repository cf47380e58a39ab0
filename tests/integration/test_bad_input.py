"""What goes wrong before any work: one clear error, the right exit status, no traceback."""

import socket
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.conftest import Etl, clear, runner


@pytest.mark.parametrize("name", ["MAX_USERS_PER_CYCLE", "MAX_THREADS", "CATCHUP_THRESHOLD"])
def test_numbers_in_the_environment_must_be_positive(etl: Etl, name: str) -> None:
    ran = etl("datamart-users", **{name: "-1"})
    assert clear(ran, 2, f"{name} must be a whole number of at least 1, not '-1'")


def test_where_no_server_is_the_database_is_told_as_unreachable(
    environment: dict[str, str], tmp_path: Path
) -> None:
    run = runner(environment)
    ran = run("datamart-users", "--dsn", f"host={tmp_path} dbname=x")
    assert clear(ran, 69, "cannot reach the database at", "Check that the server runs")


@pytest.fixture
def closed_port() -> Generator[int]:
    """A TCP port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_a_refused_connection_shows_no_password(
    environment: dict[str, str], closed_port: int
) -> None:
    dsn = f"postgresql://me:s3cret@127.0.0.1:{closed_port}/x"
    ran = runner(environment)("init", ETL_DSN=dsn)
    assert clear(ran, 69, f"127.0.0.1 port {closed_port}, database x")
    assert "s3cret" not in ran.err + ran.out


def test_a_password_on_the_command_line_is_warned_of(
    environment: dict[str, str], closed_port: int
) -> None:
    dsn = f"host=127.0.0.1 port={closed_port} password=s3cret"
    ran = runner(environment)("init", "--dsn", dsn)
    assert clear(ran, 69, "can be read in the process list")
    assert "s3cret" not in ran.err


def test_a_connection_string_that_is_none_is_not_repeated(environment: dict[str, str]) -> None:
    ran = runner(environment)("init", ETL_DSN="postgres//me:s3cret@host")
    assert clear(ran, 2, "the connection string cannot be read")
    assert "s3cret" not in ran.err


def test_a_state_folder_that_is_a_symlink_is_refused(etl: Etl, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    ran = etl("datamart-users", ETL_STATE_DIR=str(tmp_path / "link"))
    assert clear(ran, 2, "is a symbolic link")
    assert list((tmp_path / "real").iterdir()) == []


def test_an_error_in_a_job_query_names_file_and_line(etl: Etl, tmp_path: Path) -> None:
    folder = tmp_path / "jobs" / "tally"
    folder.mkdir(parents=True)
    (folder / "job.toml").write_text('title = "Tally"\nunit = "thing"\n')
    (folder / "backlog.sql").write_text("-- x\nSELECT 1, 1,\n  missing;\n")
    (folder / "prioritize.sql").write_text("SELECT 1 AS item_key, 1 AS level;\n")
    (folder / "process.sql").write_text("SELECT :item_key;\n")
    ran = etl("tally", ETL_JOBS_DIR=str(folder.parent))
    assert clear(ran, 2, f'{folder}/backlog.sql:3: column "missing" does not exist')


@pytest.mark.parametrize(
    "command",
    [
        "datamart-users --max-users=0",
        "datamart-users --max-users=1.5",
        "datamart-users --as-of=2026-13-01",
        "datamart-users --as-of=yesterday",
        "datamart-users --as-of=16.1.2026",
        "status --watch --every=nan",
        "status --watch --every=1e300",
        "simulate --arrivals=5 --item-ms=nan",
        "simulate --arrivals=5 --item-ms=1e308",
        "telemetry publish-sample --rate=nan",
        "telemetry publish-sample --rate=1e-300",
        "history datamart-users --cycle=99999999999999999999",
    ],
)
def test_what_no_day_no_clock_and_no_counter_can_be_is_refused(offline: Etl, command: str) -> None:
    ran = offline(*command.split())
    assert clear(ran, 2, command.split()[-1].partition("=")[0])


@pytest.mark.parametrize(
    "command",
    ["status", "history", "plan", "simulate", "pause", "resume", "cancel", "verify", "explain"],
)
def test_a_job_that_does_not_exist_is_told_before_a_database_is_asked_for(
    offline: Etl, command: str
) -> None:
    assert clear(offline(command, "nonsense"), 2, "there is no job nonsense")


def test_an_empty_dsn_is_no_embedded_server(offline: Etl) -> None:
    assert clear(offline("datamart-users", "--dsn", ""), 2, "--dsn names no database")
