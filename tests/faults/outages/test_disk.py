"""The disk of the state folder is full: one clear error, nothing lost, and the sums are right."""

import os
import re
import resource
import shutil
import subprocess
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import pytest

from etl.db import Connection
from tests.faults.conftest import Start, wait_until_at_gate
from tests.faults.outages.conftest import Cycles
from tests.faults.sums import wrong_sums
from tests.gates import open_gate
from tests.support import dirty

MANY = 60_000  # users whose queue is larger than the disk
SOME = 1500  # users whose journal is larger than any room that may be kept for it
SIZE = "384k"
PAGE = os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def small_disk(environment: dict[str, str]) -> Generator[Path]:
    """The state folder, on a file system of its own that is soon full."""
    state = Path(environment["ETL_STATE_DIR"])
    state.mkdir(mode=0o700)
    if os.geteuid() != 0 or shutil.which("mount") is None:
        assert not os.environ.get("CI"), "in CI these tests run as root, with mount"
        pytest.skip("SKIPPED LOUDLY: only root can mount a small file system")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=700", "none", str(state)]
    if subprocess.run(mount, check=False).returncode:
        pytest.skip("SKIPPED LOUDLY: this kernel lets not even root mount a file system")
    yield state
    subprocess.run(["umount", "-l", str(state)], check=True)


def fill(disk: Path, *, slack: int) -> Path:
    """Take all the room there is, but for so many bytes at the end of the journal's page.

    A tmpfs gives out whole pages: to be full at this very line, the journal gets a line that
    is none, which its readers pass over.
    """
    (journal,) = disk.glob("cycles/*/*/*/journal.tsv")
    used = journal.stat().st_size % PAGE
    with journal.open("ab") as file:
        file.write(b"#" * (PAGE - used - slack - 1) + b"\n")
    return fill_up(disk)


def fill_up(disk: Path) -> Path:
    """Take all the room there is. Returns the file that has it."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(PAGE)):
            pass
    return filler


def add_users_without_facts(connection: Connection, number: int) -> None:
    connection.execute(
        "INSERT INTO dwh.dimension_users (username)"
        " SELECT 'many' || i FROM generate_series(1, $1) AS i",
        [number],
    )


def assert_one_error(err: str, pattern: str) -> None:
    errors = [line for line in err.splitlines() if line.startswith("etl: ")]
    assert len(errors) == 1, err
    assert re.search(pattern, errors[0], re.IGNORECASE), err
    assert "Traceback" not in err


def test_a_disk_full_while_the_queue_is_built_is_one_error(
    start: Start, gate: Connection, small_disk: Path, connection: Connection
) -> None:
    add_users_without_facts(connection, MANY)
    ran = start(f"--max-users={MANY}").ended(2)
    assert_one_error(ran.err, r"cannot write the queue in .*: No space left on device")
    record = ran.record
    assert record["done"] == 0
    assert record["found"] == record["remaining"] == MANY + 6
    assert wrong_sums(connection) == []
    # Mended by making room, or by a smaller limit. Nothing else.
    open_gate(gate)
    start("--max-users=10").ended(0, done=10)
    assert wrong_sums(connection) == []


@pytest.mark.parametrize("slack", [0, 20, 60], ids=lambda slack: f"{slack} bytes left")
@pytest.mark.parametrize("workers", [1, 2])
def test_on_a_disk_full_in_mid_item_what_is_committed_is_told(
    start: Start, gate: Connection, small_disk: Path, cycles: Cycles, slack: int, workers: int
) -> None:
    add_users_without_facts(gate, SOME)
    run = start(f"--workers={workers}", f"--max-users={SOME + 6}")
    wait_until_at_gate(gate)
    filler = fill(small_disk, slack=slack)
    open_gate(gate)
    ran = run.ended(2)
    assert_one_error(ran.err, "cannot write .*journal.tsv: No space left on device")
    left = len(dirty(gate))
    record = ran.record
    # What is committed is told as done, on a full disk, too.
    assert (record["done"], record["orphaned"], record["remaining"]) == (SOME + 6 - left, 0, left)
    assert left > 0
    assert wrong_sums(gate) == []
    assert cycles.held() == []
    filler.unlink()
    cycles.assert_the_next_needs_no_clean_up()


def test_a_disk_full_before_the_cycle_begins_is_one_error(
    start: Start, gate: Connection, small_disk: Path, cycles: Cycles
) -> None:
    filler = fill_up(small_disk)
    err = start().ended(2).err
    assert_one_error(err, "No space left on device")
    filler.unlink()
    open_gate(gate)
    cycles.assert_the_next_needs_no_clean_up()


def test_a_limit_on_the_size_of_files_is_a_full_disk(
    start: Start, gate: Connection, connection: Connection
) -> None:
    add_users_without_facts(connection, MANY)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 17, 1 << 17))

    ran = start(f"--max-users={MANY}", prepare=limit).ended(2, remaining=MANY + 6)
    assert_one_error(ran.err, "cannot write the queue in .*: File too large")
    assert wrong_sums(connection) == []
