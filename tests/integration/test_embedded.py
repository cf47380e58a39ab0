"""The embedded server: found, started and stopped as a visitor would."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from etl.embedded import EmbeddedServer, binaries
from etl.errors import StateFolderError
from tests.conftest import Address, Etl, clear, runner
from tests.states import state_folder


@pytest.fixture
def state() -> Generator[Path]:
    """A state folder whose server is gone afterwards."""
    with state_folder() as folder:
        yield folder


@pytest.fixture
def alone(environment: dict[str, str], state: Path) -> Etl:
    """The program where nothing names a database."""
    return runner({**environment, "ETL_STATE_DIR": str(state)})


def test_without_settings_the_embedded_server_is_started_and_said_so(
    alone: Etl, state: Path
) -> None:
    first = alone("init")
    home = EmbeddedServer.of(state, os.environ).home
    assert first.status == 0
    assert first.err == f"etl: using the embedded server in {home} (just started)\n"
    assert alone("init").err == f"etl: using the embedded server in {home}\n"


def test_a_server_is_started_asked_and_stopped(alone: Etl) -> None:
    assert alone("server", "status").status == 1
    assert alone("server", "start").status == 0
    status = json.loads(alone("server", "status", "--json").out)
    assert status["running"] is True
    with psycopg.connect(status["dsn"]) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
    shown = alone("server", "psql", "--", "-X", "-A", "-t", "-c", "SELECT 6 * 7")
    assert shown.out == "42\n"
    assert alone("server", "stop").out.startswith("stopped")
    assert alone("server", "stop").out.startswith("was not running")
    assert alone("server", "status").status == 1


def test_nobody_else_can_reach_its_socket_or_data(alone: Etl) -> None:
    alone("server", "start")
    status = json.loads(alone("server", "status", "--json").out)
    host = Path(str(conninfo_to_dict(status["dsn"])["host"]))
    for folder in (host, Path(status["data"])):
        assert folder.stat().st_mode & 0o077 == 0


def test_eight_starts_at_once_make_one_server(
    alone: Etl, environment: dict[str, str], state: Path
) -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "etl", "server", "start"],
            env={**environment, "ETL_STATE_DIR": str(state)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    said = [process.communicate()[0] for process in started]
    assert [process.returncode for process in started] == [0] * 8
    assert sum(out.startswith("started") for out in said) == 1


def test_it_starts_again_after_its_postmaster_was_killed(alone: Etl, state: Path) -> None:
    alone("server", "start")
    data = EmbeddedServer.of(state, os.environ).data
    os.kill(int((data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    assert alone("init").status == 0


def test_one_whose_postmaster_was_killed_is_not_running_and_stops_without_a_word(
    alone: Etl, state: Path
) -> None:
    alone("server", "start")
    data = EmbeddedServer.of(state, os.environ).data
    os.kill(int((data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    ran = alone("server", "stop")
    assert (ran.status, ran.out.startswith("was not running"), ran.err) == (0, True, "")


def test_the_socket_of_somebody_else_is_never_used(
    server_address: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binaries, "server_account", lambda: None)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # cron's is not the login's
    mine = EmbeddedServer(tmp_path.joinpath(*["a-rather-long-name"] * 8))
    socket = Path(str(conninfo_to_dict(mine.target.dsn)["host"]))
    assert socket.parent == Path("/tmp")
    socket.symlink_to(server_address.host)
    try:
        with pytest.raises(StateFolderError, match="is a symbolic link"):
            mine.start()
    finally:
        socket.unlink()


def test_a_start_that_was_killed_while_making_its_data_is_made_again(
    alone: Etl, state: Path
) -> None:
    home = EmbeddedServer.of(state, os.environ).home
    (home / "data.new").mkdir(parents=True)
    (home / "data.new" / "half").write_text("done")
    assert alone("server", "start").status == 0
    assert not (home / "data.new").exists()


def test_a_long_state_folder_gets_a_short_socket_path(alone: Etl, state: Path) -> None:
    deep = state.joinpath(*["a-rather-long-name"] * 8)
    server = EmbeddedServer.of(deep, os.environ)
    try:
        assert alone("server", "start", ETL_STATE_DIR=str(deep)).status == 0
    finally:
        server.stop()
        shutil.rmtree(server.home, ignore_errors=True)


def test_a_folder_without_binaries_is_named(alone: Etl, tmp_path: Path) -> None:
    ran = alone("server", "start", ETL_PG_BIN=str(tmp_path))
    assert clear(ran, 2, f"no PostgreSQL server found in {tmp_path}")


def test_the_server_log_is_told_when_it_does_not_start(alone: Etl, state: Path) -> None:
    alone("server", "start")
    alone("server", "stop")
    data = EmbeddedServer.of(state, os.environ).data
    with (data / "postgresql.conf").open("a") as file:
        file.write("no_such_setting = 1\n")
    assert clear(alone("server", "start"), 69, "no_such_setting")
