"""Loads a file of published notes: streamed, all or nothing, and it says what it did."""

import csv
import gzip
import os
import time
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from etl import db
from etl.errors import InputError, TooManyRejectsError, UsageError
from etl.notes.reader import Reject, Rows, read_notes
from etl.sqlfile import shipped

_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class RejectLimit:
    """How many rejected records a load bears.

    Attributes:
        number: How many, or which percentage of all records.
        is_percentage: Which of the two.
    """

    number: float
    is_percentage: bool

    @classmethod
    def parse(cls, text: str) -> "RejectLimit":
        """Read ``100`` or ``0.5%``.

        Raises:
            UsageError: It is neither.
        """
        is_percentage = text.endswith("%")
        try:
            number = float(text.removesuffix("%")) if is_percentage else int(text)
        except ValueError:
            number = -1
        if not 0 <= number < float("inf"):
            raise UsageError(
                f"--max-rejects must be a number or a percentage, not {text!r}",
                "Give for example --max-rejects 100 or --max-rejects 0.5%.",
            )
        return cls(number, is_percentage)

    def is_exceeded(self, rejected: int, records: int) -> bool:
        """Whether this many rejects of all records are too many."""
        allowed = self.number * records / 100 if self.is_percentage else self.number
        return rejected > allowed

    def __str__(self) -> str:
        return f"{self.number:g}{' %' if self.is_percentage else ''}"


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What a load did; from new_opened to users_dirtied as load_notes/merge returns it.

    Attributes:
        file: What was loaded.
        records: Records read, notes and rejected ones.
        notes: Notes among them.
        rejected: The others.
        rejects_file: Where these stand with line and reason; None without any.
        duration_s: Seconds it took.
        new_opened: Openings that were not known before.
        new_closed: Closings that were not known before.
        new_anonymous: New facts without a user; they dirty nobody but, where one closes a
            note, its opener.
        new_users: Users that were not known before.
        users: Different users in the file.
        users_dirtied: Users whose datamart this load made out of date.
    """

    file: str
    records: int
    notes: int
    rejected: int
    rejects_file: str | None
    duration_s: float
    new_opened: int
    new_closed: int
    new_anonymous: int
    new_users: int
    users: int
    users_dirtied: int

    @property
    def new_facts(self) -> int:
        """New facts in all."""
        return self.new_opened + self.new_closed


def load_notes(connection: db.Connection, source: Path | None, limit: RejectLimit) -> LoadReport:
    """Load one file in one transaction.

    Args:
        connection: In autocommit.
        source: The file, plain or gzipped; None for standard input.
        limit: More rejected records than this, and nothing is loaded.

    Raises:
        InputError: It cannot be read, or not to its end.
        TooManyRejectsError: More records than the limit were rejected.
    """
    name = str(source) if source else "standard input"
    begun = time.monotonic()
    with connection.transaction():
        db.run(connection, shipped("load_notes/stage"))
        with _opened(source, name) as stream, _Rejects(source) as rejects:
            notes = _stage(connection, _read(stream, name), rejects)
        records = notes + rejects.count
        if limit.is_exceeded(rejects.count, records):
            raise TooManyRejectsError(
                f"{name}: {rejects.count:,} of {records:,} records were rejected, "
                f"more than {limit} allowed; nothing was loaded",
                f"Read {rejects.path}, mend the file or raise --max-rejects.",
            )
        merged = db.one(connection, shipped("load_notes/merge"))
    rejects_file = str(rejects.path) if rejects.count else None
    duration_s = time.monotonic() - begun
    return LoadReport(name, records, notes, rejects.count, rejects_file, duration_s, *merged)


def _stage(connection: db.Connection, found: Iterator[Rows | Reject], rejects: "_Rejects") -> int:
    """Copy the notes, write down the rejects. Returns how many notes there are."""
    statement = shipped("load_notes/copy")
    notes = 0
    with db.explained(connection, statement), connection.cursor().copy(statement.text) as copy:
        for item in found:
            if isinstance(item, Rows):
                notes += item.notes
                copy.write(item.text)
            else:
                rejects.add(item)
    return notes


@contextmanager
def _opened(source: Path | None, name: str) -> Generator[BinaryIO]:
    try:
        raw = source.open("rb") if source else os.fdopen(0, "rb", closefd=False)
        is_gzip = raw.peek(2)[:2] == _GZIP_MAGIC
    except OSError as error:
        raise _unreadable(name, error) from error
    with raw:
        yield cast(BinaryIO, gzip.GzipFile(fileobj=raw) if is_gzip else raw)


def _read(stream: BinaryIO, name: str) -> Iterator[Rows | Reject]:
    try:
        yield from read_notes(stream, name)
    except (EOFError, OSError, zlib.error) as error:
        raise _unreadable(name, error) from error


def _unreadable(name: str, error: Exception) -> InputError:
    reason = error.strerror if isinstance(error, OSError) else None
    return InputError(
        f"cannot read {name}: {reason or error}", "Nothing was loaded. Fetch it again."
    )


class _Rejects:
    """The file of rejected records, beside the source or, where that cannot be, here.

    It is written under another name and takes its own when it is whole, also where the load
    then stops; the file of an earlier load is gone in any case.

    Attributes:
        path: The file.
        count: Records in it; without any there is no file.
    """

    def __init__(self, source: Path | None) -> None:
        file_name = f"{source.name if source else 'standard-input'}.rejects.csv"
        folder = source.parent if source and os.access(source.parent, os.W_OK) else Path()
        self.path = folder / file_name
        self.count = 0
        self._draft = folder / f".{file_name}.{os.getpid()}"
        self._file: TextIO | None = None

    def __enter__(self) -> "_Rejects":
        with self._told():
            self.path.unlink(missing_ok=True)
        return self

    def add(self, reject: Reject) -> None:
        """Write one down."""
        with self._told():
            if self._file is None:
                self._file = self._draft.open("x", encoding="utf-8", newline="")
                self._writer = csv.writer(self._file)
                self._writer.writerow(("line", "reason", "text"))
            self._writer.writerow((reject.line, reject.reason, reject.text))
        self.count += 1

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._file is None:
            return
        try:
            with self._told() if kind is None else suppress(OSError):
                self._file.close()
            if kind is None:
                self._draft.replace(self.path)
        finally:
            self._draft.unlink(missing_ok=True)

    @contextmanager
    def _told(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise InputError(
                f"cannot write {self.path}: {error.strerror}",
                "Nothing was loaded. Make room, or move the file to a folder that you can write.",
            ) from error
