"""The file queue: one ordered, readable text file, a cursor, and a claim journal.

``queue.tsv``    a line for each item, the columns of the prioritization: see rows.py. An item
                 that comes back stands at the end once more
``cursor``       where the next claim reads: byte offset and number of the item
``journal.tsv``  every claim and what became of it: see journal.py
``lock``         held by flock around a claim, for microseconds
``reserve``      disk space for the journal's last words

A claim takes one line at the cursor and moves the cursor on, so it costs the same with ten
items as with ten million. flock on a descriptor that stays open blocks in the kernel and costs
1.2 us; trying twenty times before that took two contending processes from 41,000 claims a second
to 86,000, and eight from 54,000 to 64,000. The filelock package, which opens the file anew and
polls every 50 ms, left two workers hardly faster than one. A worker acknowledges what it has
done and takes what is next in one go, under one lock and with one write.

The cursor moves before the claim is written to the journal. Whoever is killed in between
had not begun the item: it is skipped in this cycle, counts as not attempted, is still dirty
and so in the next one. The other way round it would be told twice and the sums be wrong.
"""

import fcntl
import os
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from etl.errors import StateFolderError
from etl.folders import MAKE_ROOM, private_folder
from etl.keyrange import whole
from etl.model import Claim, Result
from etl.queue.journal import CLAIMED, DEFERRED, RELEASED, TAKEN_BACK, Entry, Journal, line
from etl.queue.protocol import Queue
from etl.queue.rows import Rows, write_rows
from etl.trust import open_private

_CURSOR_LENGTH = 41
_FEW = 50
_TRIES = 20  # before it sleeps: the holder needs some microseconds, waking up as many as ten


class FileQueue(Queue):
    """The queue of one cycle in the state folder.

    Args:
        folder: Its private folder; made where it is missing.
    """

    ends_with_connection = False
    others_have_some = False  # the supervisor gives back what a dead worker had

    def __init__(self, folder: Path) -> None:
        private_folder(folder)
        self.folder = folder
        self.names: list[str] = []  # those of a file queue stand in its file
        self._journal = Journal(folder / "journal.tsv")
        self._rows = Rows(self.path)
        self._files: dict[str, int] = {}
        self.has_few_left = True

    @property
    def path(self) -> Path:
        """The readable queue file."""
        return self.folder / "queue.tsv"

    def build(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
        try:
            count, start = write_rows(self.path, columns, rows)
            self._write("cursor", _cursor(start, 1))
            self._write("lock", b"")
            self._journal.begin()
        except OSError as error:
            raise StateFolderError(
                f"cannot write the queue in {self.folder}: {error.strerror}",
                MAKE_ROOM,
            ) from error
        return count

    def exchange(
        self, worker: int, settled: Sequence[tuple[Claim, Result]], most: int = 1
    ) -> list[Claim]:
        """As the protocol says: one lock, one write.

        Raises:
            StateFolderError: The journal cannot be written. Nothing was claimed; where there
                was room for it, the acknowledgements are told.
        """
        told = b"".join([line(result.outcome.value, worker, c, result) for c, result in settled])
        rests = [claim.rest for claim, _ in settled if claim.rest is not None]
        told += b"".join([line(CLAIMED, worker, rest) for rest in rests])
        with self._locked():
            claims = self._take(worker, told, most) if most else []
            if told and not claims:
                self._journal.append(told)
        return rests + claims

    def _take(self, worker: int, told: bytes, most: int) -> list[Claim]:
        """Take the next items, and tell it behind what is told already."""
        cursor = self._open("cursor")
        before = os.pread(cursor, _CURSOR_LENGTH, 0)
        offset, position = map(int, before.split())
        claims: list[Claim] = []
        row = b""
        while len(claims) < most and (row := self._rows.at(offset)):
            claims.append(self._rows.claim(position + len(claims), row))
            offset += len(row)
        self.has_few_left = self._rows.left_after(offset) <= _FEW * len(row)
        if not claims:
            return claims
        os.pwrite(cursor, _cursor(offset, position + len(claims)), 0)
        lines = b"".join([line(CLAIMED, worker, claim) for claim in claims])
        try:
            self._journal.append(told + lines, is_claim=True)
        except StateFolderError:
            os.pwrite(cursor, before, 0)
            if told:
                self._journal.append(told)
            raise
        return claims

    def release(self, worker: int, claim: Claim) -> None:
        claim = whole(claim)
        row = self._rows.again(claim, is_slow=claim.is_slow)
        self._give_back(line(RELEASED, worker, claim), row)

    def defer(self, worker: int, claim: Claim, result: Result, *, is_slow: bool) -> None:
        claim = whole(claim)
        row = self._rows.again(claim, is_slow=is_slow)
        self._give_back(line(DEFERRED, worker, claim, result), row)

    def take_back(self, worker: int, positions: Collection[int]) -> None:
        for claim, row in self._rows.at_positions(positions):
            self._give_back(line(TAKEN_BACK, worker, claim), row)

    def _give_back(self, told: bytes, row: bytes) -> None:
        """Tell it, then queue the item again.

        Whoever is killed in between, or finds the disk full, leaves an item that does not
        come again in this cycle. The other way round it might come to two outcomes.
        """
        with self._locked():
            self._journal.append(told)
            self._rows.append(row)

    def depth(self) -> int:
        with self._locked():
            offset, _ = os.pread(self._open("cursor"), _CURSOR_LENGTH, 0).split()
            return self._rows.count_from(int(offset))

    def entries(self) -> list[Entry]:
        return self._journal.entries()

    def history(self) -> Iterator[Entry]:
        with closing(Journal(self.folder / "journal.tsv")) as journal:
            while entries := journal.entries():
                yield from entries

    def close(self) -> None:
        self._journal.close()
        self._rows.close()
        for descriptor in self._files.values():
            os.close(descriptor)
        self._files.clear()

    def _open(self, name: str) -> int:
        if name not in self._files:
            try:
                self._files[name] = open_private(self.folder / name, os.O_RDWR)
            except OSError as error:
                raise StateFolderError(
                    f"cannot open {self.folder / name}: {error.strerror}",
                    "The folder of a running cycle must be left alone.",
                ) from error
        return self._files[name]

    def _write(self, name: str, content: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        descriptor = open_private(self.folder / name, flags)
        try:
            os.write(descriptor, content)
        finally:
            os.close(descriptor)

    @contextmanager
    def _locked(self) -> Generator[None]:
        descriptor = self._open("lock")
        for _ in range(_TRIES):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                continue
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)


def _cursor(offset: int, position: int) -> bytes:
    return b"%020d %020d" % (offset, position)
