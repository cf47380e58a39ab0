"""The file queue: one ordered, readable text file, a cursor, and a claim journal.

``queue.tsv``    a line for each item, the columns of the prioritization separated by tabs
                 (COPY's text format), the first line their names. An item that comes
                 back stands at the end once more; with one field more, "slow", where it
                 ran into the statement timeout
``cursor``       where the next claim reads: byte offset and number of the item
``journal.tsv``  every claim and what became of it
``lock``         held by flock around a claim, for microseconds
``reserve``      disk space for the journal's last words

A claim reads one line at the cursor and moves the cursor on, so it costs the same with ten
items as with ten million; the queue file itself is never rewritten. flock on a descriptor
that stays open blocks in the kernel and costs 1.5 us; the filelock package, which opens the
file anew and polls every 50 ms, left two workers hardly faster than one.

The cursor moves before the claim is written to the journal. Whoever is killed in between
had not begun the item: it is skipped in this cycle, counts as not attempted, is still dirty
and so in the next one. The other way round it would be told twice and the sums be wrong.
"""

import fcntl
import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from etl.errors import StateFolderError
from etl.model import Claim, Result
from etl.queue.journal import (
    CLAIMED,
    DEFERRED,
    RELEASED,
    TAKEN_BACK,
    Entry,
    Journal,
    escape,
    unescape,
)
from etl.settings import MAKE_ROOM, private_folder
from etl.trust import open_private

_CURSOR_LENGTH = 41
_READ = 4096
_SLOW = "slow"
_BATCH_ROWS = 5000


class FileQueue:
    """The queue of one cycle in the state folder.

    Args:
        folder: Its private folder; made where it is missing.
    """

    def __init__(self, folder: Path) -> None:
        private_folder(folder)
        self._folder = folder
        self._journal = Journal(folder / "journal.tsv")
        self._files: dict[str, int] = {}
        self._columns: list[str] = []

    @property
    def path(self) -> Path:
        """The readable queue file."""
        return self._folder / "queue.tsv"

    def build(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
        """Write these rows, in this order, in bounded memory; once.

        Returns:
            How many there are.
        """
        try:
            count, start = _write_queue(self.path, columns, rows)
            self._write("cursor", _cursor(start, 1))
            self._write("lock", b"")
            self._journal.begin()
        except OSError as error:
            raise StateFolderError(
                f"cannot write the queue in {self._folder}: {error.strerror}",
                MAKE_ROOM,
            ) from error
        return count

    def claim(self, worker: int) -> Claim | None:
        """Take the first item that nobody has; None when there is none."""
        with self._locked():
            offset, position = self._cursor()
            line = self._line(offset)
            if not line:
                return None
            claim = self._claim(position, line)
            os.pwrite(self._open("cursor"), _cursor(offset + len(line), position + 1), 0)
            try:
                self._journal.append(CLAIMED, worker, claim)
            except StateFolderError:
                os.pwrite(self._open("cursor"), _cursor(offset, position), 0)
                raise
        return claim

    def acknowledge(self, worker: int, claim: Claim, result: Result) -> None:
        """Record what became of a claim, after its COMMIT or ROLLBACK."""
        with self._locked():
            self._journal.append(result.outcome.value, worker, claim, result)

    def release(self, worker: int, claim: Claim) -> None:
        """Give a claim back without an attempt; the item goes to the end of the queue."""
        self._give_back(RELEASED, worker, claim, is_slow=claim.is_slow)

    def defer(self, worker: int, claim: Claim, result: Result, *, is_slow: bool) -> None:
        """Give back a claim that has failed for now; this is its result unless it comes again."""
        self._give_back(DEFERRED, worker, claim, result, is_slow=is_slow)

    def take_back(self, worker: int, claim: Claim) -> None:
        """Undo an outcome that a crash of the server undid; the item goes to the end."""
        self._give_back(TAKEN_BACK, worker, claim, is_slow=claim.is_slow)

    def _give_back(
        self, event: str, worker: int, claim: Claim, result: Result | None = None, *, is_slow: bool
    ) -> None:
        """Tell it, then queue the item again.

        Whoever is killed in between, or finds the disk full, leaves an item that does not
        come again in this cycle. The other way round it might come to two outcomes.
        """
        values = [claim.values[name] for name in self._read_columns()]
        line = _line([*values, _SLOW] if is_slow else values).encode()
        with self._locked():
            self._journal.append(event, worker, claim, result)
            queue = self._open("queue.tsv")
            _write_whole(queue, line, os.fstat(queue).st_size, self.path)

    def depth(self) -> int:
        """How many items nobody has claimed."""
        with self._locked():
            offset, _ = self._cursor()
            with self.path.open("rb") as file:
                file.seek(offset)
                return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))

    def entries(self) -> list[Entry]:
        """What has happened since the last call, in order."""
        return self._journal.entries()

    def history(self) -> Iterator[Entry]:
        """Everything that has happened since the queue was built, in order."""
        with closing(Journal(self._folder / "journal.tsv")) as journal:
            while entries := journal.entries():
                yield from entries

    def close(self) -> None:
        """Let go of its files."""
        self._journal.close()
        for descriptor in self._files.values():
            os.close(descriptor)
        self._files.clear()

    def _open(self, name: str) -> int:
        if name not in self._files:
            try:
                self._files[name] = open_private(self._folder / name, os.O_RDWR)
            except OSError as error:
                raise StateFolderError(
                    f"cannot open {self._folder / name}: {error.strerror}",
                    "The folder of a running cycle must be left alone.",
                ) from error
        return self._files[name]

    def _write(self, name: str, content: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        descriptor = open_private(self._folder / name, flags)
        try:
            os.write(descriptor, content)
        finally:
            os.close(descriptor)

    @contextmanager
    def _locked(self) -> Generator[None]:
        descriptor = self._open("lock")
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)

    def _cursor(self) -> tuple[int, int]:
        offset, position = os.pread(self._open("cursor"), _CURSOR_LENGTH, 0).split()
        return int(offset), int(position)

    def _line(self, offset: int) -> bytes:
        """The whole line at an offset; empty at the end."""
        descriptor = self._open("queue.tsv")
        line = bytearray()
        # A key may be long: each read as long as all before, so that its cost stays in proportion.
        while chunk := os.pread(descriptor, max(_READ, len(line)), offset + len(line)):
            end = chunk.find(b"\n")
            if end >= 0:
                return bytes(line + chunk[: end + 1])
            line += chunk
        return b""

    def _claim(self, position: int, line: bytes) -> Claim:
        fields = line[:-1].decode().split("\t")
        columns = self._read_columns()
        values = {
            name: None if field == r"\N" else unescape(field)
            for name, field in zip(columns, fields[: len(columns)], strict=True)
        }
        is_slow = len(fields) > len(columns)
        return Claim(position, values["item_key"] or "", int(values["level"] or 0), values, is_slow)

    def _read_columns(self) -> list[str]:
        if not self._columns:
            self._columns = self._line(0)[:-1].decode().split("\t")
        return self._columns


def _cursor(offset: int, position: int) -> bytes:
    return f"{offset:020d} {position:020d}".encode()


def _write_whole(descriptor: int, content: bytes, offset: int, path: Path) -> None:
    reason: str | None = "no space left on device"
    try:
        if os.pwrite(descriptor, content, offset) == len(content):
            return
        os.ftruncate(descriptor, offset)
    except OSError as error:
        reason = error.strerror
    raise StateFolderError(f"cannot write {path}: {reason}", MAKE_ROOM)


def _write_queue(
    path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> tuple[int, int]:
    """Write the queue file. Returns its number of items and the offset of the first."""
    count = 0
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with os.fdopen(open_private(path, flags), "w", encoding="utf-8", newline="\n") as file:
        file.write("\t".join(columns) + "\n")
        start = file.tell()
        for batch in _batches(rows):
            file.write("".join(batch))
            count += len(batch)
    return count, start


def _line(values: Sequence[object]) -> str:
    return "\t".join(r"\N" if v is None else escape(str(v)) for v in values) + "\n"


def _batches(rows: Iterable[Sequence[object]]) -> Generator[list[str]]:
    batch: list[str] = []
    for row in rows:
        batch.append(_line(row))
        if len(batch) == _BATCH_ROWS:
            yield batch
            batch = []
    yield batch
