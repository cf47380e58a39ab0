"""A state folder that somebody has prepared: refused, or used safely; never waited on."""

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from etl.db import Connection
from tests.conftest import Etl, clear
from tests.support import add_facts, add_users, opened


@pytest.fixture
def cycles(etl: Etl, environment: dict[str, str], connection: Connection) -> Path:
    """The folder of the job's cycles on this database, after a first cycle."""
    add_users(connection, "ana")
    add_facts(connection, [opened(1, "2026-01-15", "ana")])
    assert etl("datamart-users").status == 0
    (lock,) = Path(environment["ETL_STATE_DIR"]).rglob("cycle.lock")
    _precious(lock).write_text("precious")
    return lock.parent


def test_everything_kept_is_private_whatever_the_umask(
    cycles: Path, etl: Etl, environment: dict[str, str]
) -> None:
    shutil.rmtree(environment["ETL_STATE_DIR"])
    before = os.umask(0)
    try:
        assert etl("datamart-users").status == 0
    finally:
        os.umask(before)
    state = Path(environment["ETL_STATE_DIR"])
    found = [state, *state.rglob("*")]
    assert len(found) > 8
    for path in found:
        expected = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.lstat().st_mode) == expected, path


def test_a_state_folder_that_everybody_can_exchange_is_refused(etl: Etl, tmp_path: Path) -> None:
    above = tmp_path / "above"
    above.mkdir()
    above.chmod(0o777)
    (tmp_path / "link").symlink_to(above)
    for path in (above / "state", tmp_path / "link" / "state", above / "deeper" / "state"):
        etl("datamart-users", ETL_STATE_DIR=str(path)).ended(
            2, f"can be exchanged by others, who can write {tmp_path}"
        )
    above.chmod(0o1777)  # as /tmp: nobody can rename what is another's
    assert etl("datamart-users", ETL_STATE_DIR=str(above / "state")).status == 0


def test_a_state_folder_that_is_a_file_is_told(etl: Etl, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    etl("datamart-users", ETL_STATE_DIR=str(tmp_path / "file")).ended(
        2, f"cannot make the state folder {tmp_path}/file: File exists"
    )
    assert (tmp_path / "file").read_text() == "kept"


def _precious(path: Path) -> Path:
    """A file elsewhere that must stay as it is."""
    (state,) = (parent for parent in path.parents if parent.name == "state")
    return state.parent / "precious"


def _link(path: Path) -> None:
    path.symlink_to(_precious(path))


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def open_again(cycles: Path, connection: Connection) -> Path:
    """As if the first cycle had died. Returns the folder of its queue."""
    reopen = "UPDATE etl.cycle SET finished_at = NULL RETURNING cycle_id"
    ((number,),) = connection.execute(reopen).fetchall()
    return cycles / f"cycle-{number}"


def empty_queue(cycles: Path, connection: Connection) -> Path:
    """The same, with nothing in the folder."""
    folder = open_again(cycles, connection)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    return folder


PLANT: list[Callable[[Path], None]] = [os.mkfifo, Path.mkdir, _link, _device]


@pytest.mark.parametrize("name", ["cycle.lock", "holder.json"])
@pytest.mark.parametrize("plant", PLANT)
def test_a_lock_file_that_is_none_is_refused_and_not_followed(
    cycles: Path, etl: Etl, name: str, plant: Callable[[Path], None]
) -> None:
    (cycles / name).unlink()
    plant(cycles / name)
    etl("datamart-users").ended(2, f"cannot write {cycles / name}: ", "Remove it")
    assert _precious(cycles).read_text() == "precious"


@pytest.mark.parametrize("plant", PLANT)
def test_the_queue_of_a_dead_cycle_with_planted_files_is_recovered_from(
    cycles: Path, etl: Etl, connection: Connection, plant: Callable[[Path], None]
) -> None:
    queue = empty_queue(cycles, connection)
    for name in ("journal.tsv", "queue.tsv", "cursor", "lock", "reserve"):
        plant(queue / name)
    etl("datamart-users").ended(0)
    assert connection.execute("SELECT FROM etl.cycle WHERE finished_at IS NULL").rowcount == 0
    assert not queue.exists()
    assert _precious(cycles).read_text() == "precious"


@pytest.mark.parametrize(
    ("message", "missing"),
    [("odd", "lock"), ("odd", "reserve"), ("odd", "queue.tsv"), ("zeros\0\0\0", "")],
    ids=["lock", "reserve", "queue.tsv", "zeros"],
)
def test_a_damaged_queue_of_a_dead_cycle_stops_no_other_and_tells_what_is_whole(
    cycles: Path, etl: Etl, connection: Connection, message: str, missing: str
) -> None:
    folder = open_again(cycles, connection)
    connection.execute("DELETE FROM etl.attempt")
    with (folder / "journal.tsv").open("a") as journal:
        journal.write("1800000000.000\tclaimed\t1\t7\t1\tbob\n")
        journal.write("1800000000.000\tclaimed\t2\t8\t1\teve\n")
        journal.write(f"1800000000.001\tfailed\t2\t8\t1\teve\t0.1\tP0001\t{message}\n")
    if missing:
        (folder / missing).unlink()
    etl("datamart-users").ended(0, "its record is closed now")
    told = connection.execute("SELECT item_key, outcome FROM etl.attempt WHERE outcome != 'done'")
    whole = [("eve", "failed")] if missing else []
    assert sorted(told.fetchall()) == [("bob", "orphaned"), *whole]


def test_folders_that_only_look_like_queues_are_left_alone(cycles: Path, etl: Etl) -> None:
    names = ["cycle-x", "cycle-", "cycle--1", "cycle-1_0", "cycle-٣", "cycle-0", "cycle-\n"]
    names.append("cycle-" + "9" * 100)
    for name in names:
        (cycles / name).mkdir(mode=0o700)
        (cycles / name / "journal.tsv").write_bytes(b"\xff\x00" * 1000)
    etl("datamart-users").ended(0)
    assert all((cycles / name).is_dir() for name in names)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[1]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"pid": "\x1b[31m"',
        b"null",
        b"9" * 10_000,
    ],
    ids=range(8),
)
def test_a_holder_that_is_garbage_costs_only_its_name(
    cycles: Path, etl: Etl, content: bytes
) -> None:
    import fcntl

    (cycles / "holder.json").write_bytes(content)
    with (cycles / "cycle.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        ran = etl("datamart-users")
    assert clear(ran, 75, "another cycle of datamart-users is running on this database")
    assert ran.err.replace("\n", "").isprintable()


def test_a_line_of_100_mb_in_a_journal_is_read_in_proportion_to_its_length(
    cycles: Path, etl: Etl, connection: Connection
) -> None:
    with (empty_queue(cycles, connection) / "journal.tsv").open("wb") as file:
        file.write(b"17953.0\tclaimed\t1\t1\t1\t")
        file.truncate(100_000_000)
    etl("datamart-users").ended(0)
