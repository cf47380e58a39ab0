"""`etl metrics` as a command: files, scrapes, and what can go wrong."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from etl.db import Connection
from etl.errors import FileError, UsageError
from etl.metrics import textfile
from tests.conftest import READER, REPOSITORY, Etl, runner
from tests.metrics.conftest import samples


def up(text: str) -> float:
    """Whether the database answered."""
    return samples(text)["etl_up", frozenset()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where node_exporter looks for files."""
    path = tmp_path / "textfile"
    path.mkdir(mode=0o755)
    return path


def test_a_textfile_is_replaced_and_anybody_may_read_it(etl: Etl, dsn: str, folder: Path) -> None:
    file = folder / "etl.prom"
    file.write_text("old\n")
    before = os.umask(0o077)
    try:
        ran = etl("metrics", "--textfile", file, ETL_DSN=f"{dsn} user={READER}")
    finally:
        os.umask(before)
    assert (ran.status, ran.out, ran.err) == (0, "", "")
    assert up(file.read_text()) == 1
    assert file.stat().st_mode & 0o777 == 0o644
    assert list(folder.iterdir()) == [file]


def test_where_the_database_is_gone_the_file_says_so(
    environment: dict[str, str], folder: Path
) -> None:
    etl = runner(environment)
    file = folder / "etl.prom"
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        dsn = f"host=127.0.0.1 port={nobody.getsockname()[1]} dbname=x user=x"
        ran = etl("metrics", "--textfile", file, ETL_DSN=dsn)
        assert ran.status == 69
        assert ran.err.startswith("etl: cannot reach the database at 127.0.0.1")
        assert up(file.read_text()) == 0
        assert "etl_backlog_items" not in file.read_text()
        assert up(etl("metrics", ETL_DSN=dsn).out) == 0


def test_a_server_that_never_answers_is_not_waited_for(environment: dict[str, str]) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        dsn = f"host=127.0.0.1 port={silent.getsockname()[1]} dbname=x user=x"
        ran = runner({**environment, "ETL_DSN": dsn})("metrics", "--timeout=100ms")
    assert (ran.status, up(ran.out)) == (69, 0)


def test_a_part_that_takes_too_long_is_left_out_and_the_others_are_told(
    etl: Etl, connection: Connection
) -> None:
    with connection.transaction():
        connection.execute("LOCK TABLE dwh.dimension_users")
        ran = etl("metrics", "--timeout=4s")
    assert ran.status == 1
    (said,) = ran.err.splitlines()
    assert said.startswith("etl: datamart_users: no backlog: ")
    assert "statement timeout" in said
    found = samples(ran.out)
    failed = {
        (dict(labels)["etl_job"], dict(labels)["part"])
        for (name, labels), value in found.items()
        if name == "etl_scrape_success" and not value
    }
    assert failed == {("datamart_users", "backlog")}
    assert "etl_items_total" in ran.out
    assert 'etl_backlog_items{etl_job="datamart_users"' not in ran.out


def test_a_database_without_the_ledger_is_up_and_not_current(
    environment: dict[str, str], bare_dsn: str
) -> None:
    ran = runner({**environment, "ETL_DSN": bare_dsn})("metrics")
    assert ran.status == 2
    assert "has no schema of etl yet" in ran.err
    found = samples(ran.out)
    assert found["etl_up", frozenset()] == 1
    assert found["etl_schema_current", frozenset({("etl_job", "datamart_users")})] == 0


def test_a_database_of_another_version_is_not_current(etl: Etl, connection: Connection) -> None:
    connection.execute("UPDATE etl.applied_file SET checksum = 'x' WHERE kind = 'procedure'")
    ran = etl("metrics")
    assert ran.status == 0
    assert 'etl_schema_current{etl_job="datamart_users"} 0.0' in ran.out
    assert "etl_backlog_items" in ran.out


def test_a_job_of_another_database_is_told_where_it_is_asked_for(etl: Etl, tmp_path: Path) -> None:
    folder = tmp_path / "jobs" / "tally"
    (folder / "schema").mkdir(parents=True)
    (folder / "schema" / "0001_things.sql").write_text("CREATE TABLE thing (key text);\n")
    (folder / "job.toml").write_text('title = "Tally"\nunit = "thing"\n')
    for name in ("prioritize", "backlog", "process"):
        (folder / f"{name}.sql").write_text("SELECT 1;\n")
    ran = etl("metrics", ETL_JOBS_DIR=str(folder.parent))
    assert (ran.status, ran.err) == (0, "")
    assert "tally" not in ran.out
    ran = etl("metrics", "tally", ETL_JOBS_DIR=str(folder.parent))
    assert 'etl_schema_current{etl_job="tally"} 0.0' in ran.out
    assert "etl_backlog_items" not in ran.out


@pytest.mark.parametrize("kind", ["link", "folder", "fifo"])
def test_what_is_no_regular_file_is_refused(folder: Path, kind: str) -> None:
    file, victim = folder / "etl.prom", folder / "victim"
    victim.write_text("mine")
    if kind == "link":
        file.symlink_to(victim)
    elif kind == "folder":
        file.mkdir()
    else:
        os.mkfifo(file)
    what = "a symbolic link" if kind == "link" else "no regular file"
    with pytest.raises(FileError, match=f"is {what}"):
        textfile.check(file)


@pytest.mark.parametrize(
    ("name", "mode", "problem"),
    [
        ("etl.prom", 0o777, "is not safe: everybody can write"),
        ("etl.txt", 0o755, "is not read by node_exporter"),
        (".etl.prom", 0o755, "is not read by node_exporter"),
        ("none/etl.prom", 0o755, "none does not exist"),
        ("file/etl.prom", 0o755, "file is not a folder"),
    ],
)
def test_a_path_that_would_not_work_is_refused(
    folder: Path, name: str, mode: int, problem: str
) -> None:
    (folder / "file").touch()
    folder.chmod(mode)
    with pytest.raises(UsageError, match=problem):
        textfile.check(folder / name)


def test_a_folder_with_the_sticky_bit_will_do(folder: Path) -> None:
    folder.chmod(0o1777)
    assert textfile.check(folder / "etl.prom") == folder / "etl.prom"


def test_what_cannot_be_written_leaves_nothing_behind(folder: Path) -> None:
    file = folder / "etl.prom"
    file.mkdir()  # since it was checked
    with pytest.raises(FileError, match="is no regular file"):
        textfile.write(file, b"new")
    assert list(folder.iterdir()) == [file]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--textfile=a.prom", "--serve=1"], "exclude each other"),
        (["--textfile=a.txt"], "is not read by node_exporter"),
        (["--address=::1"], "--address says where --serve listens"),
        (["--timeout=soon"], "--timeout must be a duration"),
        (["no-job"], "there is no job no-job"),
        (["--serve=0", "--address=no.such.host.invalid"], "cannot listen at no.such.host.invalid"),
    ],
)
def test_a_mistake_is_one_clear_error(
    environment: dict[str, str], arguments: list[str], problem: str
) -> None:
    ran = runner({**environment, "ETL_DSN": "host=127.0.0.1 port=1"})("metrics", *arguments)
    assert (ran.status, ran.out) == (2, "")
    assert problem in ran.err
    assert "Traceback" not in ran.err


@contextmanager
def serving(
    environment: dict[str, str], *arguments: str
) -> Generator[tuple[str, subprocess.Popen[str]]]:
    """Runs `etl metrics --serve`; its address, and the process."""
    with subprocess.Popen(
        [sys.executable, "-m", "etl", "metrics", "--serve=0", *arguments],
        env=environment, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stderr is not None
            said = process.stderr.readline()
            assert said.startswith("etl: serving metrics at http://127.0.0.1:")
            yield said.split()[-1], process
        finally:
            process.kill()


def get(url: str) -> str:
    """What a scrape gets."""
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310
        assert answer.headers["Content-Type"].startswith("text/plain")
        return str(answer.read().decode())


def test_each_scrape_reads_and_a_database_may_go_away_and_come_back(
    environment: dict[str, str], dsn: str, connection: Connection
) -> None:
    name = connection.info.dbname
    with serving({**environment, "ETL_DSN": f"{dsn} user={READER}"}) as (url, process):
        assert up(get(url)) == 1
        connection.execute("INSERT INTO dwh.dimension_users (username) VALUES ('ana')")
        with ThreadPoolExecutor(8) as scrapers:
            assert {up(text) for text in scrapers.map(get, [url] * 24)} == {1}
        assert 'etl_backlog_items{etl_job="datamart_users",level="lowest"} 1.0' in get(url)
        connection.execute(f"ALTER DATABASE {name} CONNECTION LIMIT 0".encode())
        assert [up(get(url)) for _ in range(2)] == [0, 0]
        connection.execute(f"ALTER DATABASE {name} CONNECTION LIMIT -1".encode())
        assert up(get(url)) == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 128 + signal.SIGTERM
        assert process.stderr is not None
        told = process.stderr.read().splitlines()
    assert len(told) == 2
    assert told[0].startswith("etl: cannot reach the database at ")
    assert told[1] == "etl: all can be read again"


def test_a_port_that_is_taken_is_told(environment: dict[str, str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        etl = runner({**environment, "ETL_DSN": "host=127.0.0.1 port=1"})
        ran = etl("metrics", f"--serve={other.getsockname()[1]}")
    assert ran.status == 2
    assert "cannot listen at 127.0.0.1 port" in ran.err


def test_other_commands_do_not_load_the_library_for_metrics() -> None:
    code = (
        "import sys; from etl.cli.main import build; build();"
        "sys.exit('prometheus_client' in sys.modules or 'psycopg' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=False).returncode == 0
