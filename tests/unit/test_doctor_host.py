"""What `etl doctor` sees of this host: state folders that no cycle could use."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from etl.doctor import Finding, Severity, Verdict, host

NOBODY = 65534


def of_state(state: Path) -> Verdict:
    _, verdict = host.look([], state)
    return verdict


def serious(state: Path) -> list[Finding]:
    """Without the note that tells of a folder in memory, where the tests may be."""
    return [f for f in of_state(state).findings if f.severity < Severity.NOTE]


@contextmanager
def an_ordinary_user() -> Generator[None]:
    """Root may go anywhere: be somebody else for a moment."""
    mine = os.geteuid()
    if mine == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(mine)


def test_a_private_folder_is_all_right_and_none_is_made(tmp_path: Path) -> None:
    assert not serious(tmp_path)
    assert not serious(tmp_path / "not" / "there")
    assert not (tmp_path / "not").exists()


def test_a_link_is_an_error_that_names_where_it_leads(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "real")
    (tmp_path / "real").mkdir(0o700)
    (finding,) = serious(link)
    assert finding.what == f"{link} is a symbolic link"
    assert finding.command == f"export ETL_STATE_DIR='{tmp_path / 'real'}'"


def test_a_folder_that_others_can_write_is_an_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o770)
    (finding,) = serious(tmp_path)
    assert finding.severity == Severity.ERROR
    assert finding.command == f"chmod 700 '{tmp_path}'"


def test_a_folder_that_cannot_be_looked_into_is_told(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(0o000)
    try:
        with an_ordinary_user():
            verdict = of_state(locked / "state")
    finally:
        locked.chmod(0o700)
    assert "Permission denied" in verdict.problem
    (finding,) = verdict.findings
    assert finding.severity == Severity.NOTE


@pytest.mark.skipif(not Path("/proc/mounts").exists(), reason="Linux tells its mounts there")
def test_a_full_file_system_is_a_warning() -> None:
    told = [f.what for f in serious(Path("/proc/no/state")) if f.severity == Severity.WARNING]
    assert told == ["0 MB and 0 inodes are free where /proc/no/state is"]


def test_queues_are_listed_without_a_database(tmp_path: Path) -> None:
    queue = tmp_path / "cycles" / "7-1" / "a_job" / "cycle-3"
    queue.mkdir(parents=True)
    (finding,) = host.queues(tmp_path).findings
    assert finding.what == f"there is a queue of a_job in {queue}"
    assert queue.exists()
