"""What only the file queue promises: private files, no link followed, a full disk survived."""

import os
import stat
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from etl.errors import StateFolderError
from etl.model import Outcome, Result
from etl.queue import FileQueue
from etl.queue.journal import escape, unescape
from tests.conftest import run_program

COLUMNS = ("item_key", "level")
FILES = ("queue.tsv", "journal.tsv", "cursor", "lock")
ALL = (*FILES, "reserve")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "queue"


@pytest.fixture
def queue(folder: Path) -> FileQueue:
    """A queue with two items."""
    queue = FileQueue(folder)
    queue.build(COLUMNS, [("a", 1), ("b", 2)])
    return queue


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A file of somebody else's."""
    path = tmp_path / "target"
    path.write_text("precious")
    return path


def test_only_the_owner_can_read_what_is_in_the_queue(folder: Path) -> None:
    before = os.umask(0)
    try:
        FileQueue(folder).build(COLUMNS, [("a", 1)])
    finally:
        os.umask(before)
    modes = {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in folder.iterdir()}
    assert modes == dict.fromkeys(ALL, "0o600")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_queue_is_a_readable_text_file(folder: Path) -> None:
    queue = FileQueue(folder)
    queue.build((*COLUMNS, "note"), [("x\ty", 1, None), ("z", 2, "a\nb")])
    assert queue.path.read_text() == "item_key\tlevel\tnote\nx\\ty\t1\t\\N\nz\t2\ta\\nb\n"


@pytest.mark.parametrize("name", ALL)
def test_a_link_in_the_place_of_a_file_is_not_followed_by_build(
    folder: Path, target: Path, name: str
) -> None:
    queue = FileQueue(folder)
    (folder / name).symlink_to(target)
    with pytest.raises(StateFolderError, match="cannot write the queue"):
        queue.build(COLUMNS, [("x", 1)])
    assert target.read_text() == "precious"


@pytest.mark.parametrize("name", FILES)
def test_a_link_in_the_place_of_a_file_is_not_followed_by_claim(
    folder: Path, queue: FileQueue, target: Path, name: str
) -> None:
    (folder / name).rename(target)
    (folder / name).symlink_to(target)
    before = target.read_bytes()
    with pytest.raises((StateFolderError, OSError)):
        FileQueue(folder).claim(1)
    assert target.read_bytes() == before


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_cannot_be_opened_is_one_clear_error(
    folder: Path, queue: FileQueue, name: str
) -> None:
    (folder / name).unlink()
    with pytest.raises(StateFolderError, match="queue"):
        FileQueue(folder).claim(1)


def test_closing_twice_is_closing(queue: FileQueue) -> None:
    queue.close()
    queue.close()
    assert queue.depth() == 2


def test_a_queue_is_built_once(queue: FileQueue) -> None:
    with pytest.raises(StateFolderError, match="File exists"):
        queue.build(COLUMNS, [("x", 1)])
    assert queue.depth() == 2


def test_a_line_that_is_still_being_written_is_told_when_it_is_whole(
    folder: Path, queue: FileQueue
) -> None:
    queue.claim(1)
    path = folder / "journal.tsv"
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    assert queue.entries() == []
    path.write_bytes(whole)
    assert [entry.claim.item_key for entry in queue.entries()] == ["a"]


@settings(max_examples=300, deadline=None)
@given(st.text(st.one_of(st.sampled_from("\\\t\n\rtnrN"), st.characters())))
@example("\\")
@example("\\\\t")
def test_an_escaped_field_is_one_field_and_comes_back(text: str) -> None:
    assert not set(escape(text)) & set("\t\n\r")
    assert unescape(escape(text)) == text


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from etl.errors import StateFolderError
from etl.model import Outcome, Result
from etl.queue import FileQueue

folder, room, action = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
queue = FileQueue(folder)
claim = [queue.claim(1) for _ in range(3)][-1]  # the cursor is shorter than the journal now
full = {"release": "queue.tsv"}.get(action, "journal.tsv")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
size = (folder / full).stat().st_size + room
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
before = [(folder / name).read_bytes() for name in ("journal.tsv", "cursor", "queue.tsv")]
try:
    if action == "claim":
        queue.claim(1)
    elif action == "acknowledge":
        queue.acknowledge(1, claim, Result(Outcome.DONE))
    else:
        queue.release(1, claim)
except StateFolderError as error:
    after = [(folder / name).read_bytes() for name in ("journal.tsv", "cursor", "queue.tsv")]
    if action == "release":  # told all the same: nobody has it in hand any more
        assert queue.entries()[-1].event == "released"
        del before[0], after[0]
    print(error.message, "and all is as before" if before == after else "but something changed")
"""


@pytest.mark.parametrize("action", ["claim", "acknowledge", "release"])
@pytest.mark.parametrize("room", [0, 5])
def test_a_full_disk_is_an_error_that_changes_nothing(folder: Path, action: str, room: int) -> None:
    """The kernel refuses, or writes the first bytes only: RLIMIT_FSIZE does both."""
    queue = FileQueue(folder)
    queue.build(COLUMNS, [(f"a long key {n:05}", 1) for n in range(100)])
    done = run_program(sys.executable, "-c", FULL_DISK, folder, str(room), action)
    assert done.out.startswith(f"cannot write {folder}"), done.err
    assert done.out.endswith("and all is as before\n")


def test_the_queue_goes_on_when_there_is_room_again(folder: Path) -> None:
    queue = FileQueue(folder)
    queue.build(COLUMNS, [(f"a long key {n:05}", 1) for n in range(100)])
    for action in ("claim", "release"):
        run_program(sys.executable, "-c", FULL_DISK, folder, "5", action)
    keys: list[str] = []
    while (claim := queue.claim(1)) is not None:
        keys.append(claim.item_key)
        queue.acknowledge(1, claim, Result(Outcome.DONE))
    claimed = {entry.claim.item_key for entry in queue.history() if entry.event == "claimed"}
    assert len(claimed) == 100
    assert len(keys) == len(set(keys)) == 94  # each process has three in hand


def test_a_build_on_a_full_disk_is_one_clear_error(folder: Path) -> None:
    script = """
import resource, signal, sys
from pathlib import Path
from etl.queue import FileQueue
from etl.errors import StateFolderError
queue = FileQueue(Path(sys.argv[1]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    queue.build(("item_key", "level"), ((str(n), 1) for n in range(100_000)))
except StateFolderError as error:
    print(error.message)
"""
    done = run_program(sys.executable, "-c", script, folder)
    assert done.out.startswith(f"cannot write the queue in {folder}: "), done.err
    assert list(FileQueue(folder).history()) == []
