"""bin/etl-nightly: what cron calls."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from etl.db import Connection
from tests.conftest import REPOSITORY, etl_program, run_program
from tests.integration.test_load_notes import HEADER, NOTES
from tests.support import dirty

Nightly = Callable[..., tuple[int, str, str]]


@pytest.fixture
def settings(tmp_path: Path, environment: dict[str, str], dsn: str) -> Path:
    """An environment file, readable by its owner only."""
    path = tmp_path / "etl.env"
    lines = [
        f'ETL_DSN="{dsn}"',
        f"ETL_STATE_DIR={environment['ETL_STATE_DIR']}",
        f"ETL_COMMAND={etl_program(tmp_path)}",
        f"ETL_LOG={tmp_path}/nightly.log",
    ]
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def nightly(tmp_path: Path) -> Nightly:
    """Runs the script as cron does, with next to no environment."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        program = REPOSITORY / "bin" / "etl-nightly"
        known = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        done = run_program(program, *arguments, cwd="/", env=known)
        log = tmp_path / "nightly.log"
        return done.status, done.err, log.read_text() if log.exists() else ""

    return run


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    path = tmp_path / "notes.csv"
    path.write_text(HEADER + NOTES)
    return path


def test_it_loads_refreshes_and_logs(
    nightly: Nightly, settings: Path, notes: Path, connection: Connection, tmp_path: Path
) -> None:
    status, said, log = nightly(settings, notes)
    assert (status, said) == (0, "")
    assert "new facts               5" in log
    assert "3 of 3 users done" in log
    assert "etl-nightly: ended with 0" in log
    assert dirty(connection) == set()
    assert (tmp_path / "nightly.log").stat().st_mode & 0o077 == 0


def test_a_load_that_fails_is_told_and_the_users_are_refreshed(
    nightly: Nightly, settings: Path, notes: Path, connection: Connection, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.csv"
    broken.write_text("no header\n")
    status, _, log = nightly(settings, broken, notes, tmp_path / "none.csv")
    assert status == 2
    assert "the header is missing" in log
    assert f"cannot read {tmp_path}/none.csv: No such file" in log
    assert dirty(connection) == set()


def test_the_exit_status_of_the_refresh_is_kept(
    nightly: Nightly, settings: Path, notes: Path, connection: Connection
) -> None:
    connection.execute("ALTER TABLE dwh.datamart_users ADD CONSTRAINT poison CHECK (FALSE)")
    status, _, log = nightly(settings, notes)
    assert status == 1
    assert "etl-nightly: ended with 1" in log


def test_metrics_are_written_in_the_end_and_change_no_exit_status(
    nightly: Nightly, settings: Path, notes: Path, connection: Connection, tmp_path: Path
) -> None:
    file = tmp_path / "etl.prom"
    with settings.open("a") as more:
        more.write(f"ETL_METRICS_TEXTFILE={file}\n")
    connection.execute("ALTER TABLE dwh.datamart_users ADD CONSTRAINT poison CHECK (FALSE)")
    assert nightly(settings, notes)[0] == 1
    assert 'etl_last_cycle_items{etl_job="datamart_users",outcome="failed"} 3.0' in file.read_text()
    file.unlink()
    file.symlink_to(tmp_path / "elsewhere")
    connection.execute("DELETE FROM etl.held_item")
    connection.execute("ALTER TABLE dwh.datamart_users DROP CONSTRAINT poison")
    status, _, log = nightly(settings)
    assert status == 0
    assert "etl.prom: is a symbolic link" in log
    assert "etl-nightly: metrics are missing\netl-nightly: ended with 0" in log


def test_a_second_run_ends_at_once(
    nightly: Nightly, settings: Path, environment: dict[str, str]
) -> None:
    state = Path(environment["ETL_STATE_DIR"])
    state.mkdir(mode=0o700)
    with subprocess.Popen(
        ["flock", state / "nightly.lock", "sh", "-c", "echo locked; cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        status, _, log = nightly(settings)
        assert status == 75
        assert "another run is going on" in log
        holder.communicate()


@pytest.mark.parametrize("place", ["nightly.log", "state/nightly.lock"])
def test_links_of_somebody_else_are_not_written_through(
    nightly: Nightly, settings: Path, tmp_path: Path, place: str
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a link to somebody else")
    mine, link = tmp_path / "mine", tmp_path / place
    mine.write_text("as it was\n")
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(mine)
    os.chown(link, 12345, 12345, follow_symlinks=False)
    status, said, _ = nightly(settings)
    assert (status, said) == (2, f"etl-nightly: {link} is a link of somebody else\n")
    assert mine.read_text() == "as it was\n"
    os.chown(link, 0, 0, follow_symlinks=False)  # of one's own it is a setting
    if place == "nightly.log":
        assert nightly(settings)[0] == 0
        assert "ended with 0" in mine.read_text()


@pytest.mark.parametrize("mode", [0o644, 0o602])
def test_an_environment_file_that_everybody_can_read_or_write_is_refused(
    nightly: Nightly, settings: Path, mode: int
) -> None:
    settings.chmod(mode)
    status, said, _ = nightly(settings)
    assert status == 2
    assert "which may hold a password: chmod o=" in said


@pytest.mark.parametrize("arguments", [[], ["/nowhere/etl.env"]])
def test_without_an_environment_file_it_says_what_it_needs(
    nightly: Nightly, arguments: list[str]
) -> None:
    status, said, _ = nightly(*arguments)
    assert status == 2
    assert said.startswith(("usage:", "etl-nightly: cannot read the environment file"))
