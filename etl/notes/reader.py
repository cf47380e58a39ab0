"""Reads the CSV layout in which notes are published: a note or a reason for every record.

One record that is broken never takes others with it. A quote that is never closed makes
csv readers swallow the rest of the file; here a record may span 100 lines, and if its quotes
are not balanced by then its first line is rejected and reading goes on with the second. So
memory is bounded by the longest record allowed, not by the file.
"""

import csv
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import BinaryIO

from etl.errors import InputError

_NEEDED = (
    "note_id",
    "country_name",
    "opened_at",
    "closed_at",
    "opened_by_username",
    "closed_by_username",
    "opening_comment",
)
_HASHTAG = re.compile(r"#([\w.-]+)")
_ANONYMOUS = frozenset(("", "Unknown"))
_LINE_BYTES = 1 << 20
_RECORD_LINES = 100
_LARGEST_NOTE_ID = 2**63 - 1
_NOTE_ID = re.compile(r"0*[1-9][0-9]{0,18}\Z")


@dataclass(frozen=True, slots=True)
class Note:
    """One note, its times in UTC as ISO 8601 text.

    The order of the attributes is that of the columns that are copied.
    """

    note_id: int
    country_name: str
    opened_at: str
    closed_at: str | None
    opened_by: str | None
    closed_by: str | None
    application_name: str | None

    def row(self) -> tuple[int | str | None, ...]:
        """The values to copy."""
        return (
            self.note_id,
            self.country_name,
            self.opened_at,
            self.closed_at,
            self.opened_by,
            self.closed_by,
            self.application_name,
        )


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that is no note.

    Attributes:
        line: The line on which it begins, from 1.
        reason: Why.
        text: What stands there.
    """

    line: int
    reason: str
    text: str


def read_notes(stream: BinaryIO, name: str) -> Iterator[Note | Reject]:
    """Read a whole file.

    Args:
        stream: The uncompressed bytes.
        name: How the file is called in messages.

    Raises:
        InputError: It is empty, or its first line is not the header.
    """
    lines = _Lines(stream)
    columns = _header(name, lines.take())
    places = tuple(columns.index(column) for column in _NEEDED)
    line = 2
    while first := lines.take():
        more = lines.rest_of_record(first)
        try:
            yield _note(first + b"".join(more), len(columns), places)
        except _NoRecordError as problem:
            # Several lines that are no record together: the first one's quote is the mistake.
            lines.give_back(more)
            more = []
            yield Reject(line, str(problem), _text(first))
        except ValueError as problem:
            yield Reject(line, str(problem), _text(first + b"".join(more)))
        line += 1 + len(more)


class _NoRecordError(ValueError):
    """The quotes or the number of fields are wrong."""


class _Lines:
    """The lines of a file; some may be given back."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._given_back: deque[bytes] = deque()

    def take(self) -> bytes:
        """The next line; what it has beyond the limit is skipped. Empty at the end."""
        if self._given_back:
            return self._given_back.popleft()
        line = self._stream.readline(_LINE_BYTES)
        if len(line) == _LINE_BYTES:
            end = line
            while end and not end.endswith(b"\n"):
                end = self._stream.readline(_LINE_BYTES)
        return line

    def give_back(self, lines: list[bytes]) -> None:
        """Take these again next."""
        self._given_back.extendleft(reversed(lines))

    def rest_of_record(self, first: bytes) -> list[bytes]:
        """The lines up to the one that closes the quote which a record's first line opens."""
        more: list[bytes] = []
        if first.count(b'"') % 2 == 0:
            return more
        while len(more) < _RECORD_LINES and (following := self.take()):
            more.append(following)
            if following.count(b'"') % 2:
                return more
        self.give_back(more)
        return []


def _text(record: bytes) -> str:
    return record.decode(errors="backslashreplace").rstrip("\r\n")


def _header(name: str, first: bytes) -> list[str]:
    if not first:
        raise InputError(f"{name} is empty", "Give a file of notes with its header.")
    columns = first.removeprefix(b"\xef\xbb\xbf").decode(errors="replace").strip().split(",")
    missing = [column for column in _NEEDED if column not in columns]
    if missing:
        raise InputError(
            f"{name}:1: the header is missing or lacks: {', '.join(missing)}",
            "The first line must name the columns, as in the published files.",
        )
    return columns


def _note(record: bytes, width: int, places: tuple[int, ...]) -> Note:
    """Read one record.

    Raises:
        ValueError: It is no note; the message says why.
    """
    if b"\0" in record:
        raise ValueError("holds a NUL byte")
    try:
        text = record.decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 at byte {error.start + 1}") from None
    fields = _quoted_fields(text) if '"' in text else text.split(",")
    if len(fields) != width:
        raise _NoRecordError(f"has {len(fields)} fields instead of {width}")
    note_id, country, opened, closed, opened_by, closed_by, comment = [fields[p] for p in places]
    if not _NOTE_ID.match(note_id) or int(note_id) > _LARGEST_NOTE_ID:
        raise ValueError(f"note_id is no positive number: {note_id!r}")
    opened_at = _time("opened_at", opened)
    closed_at = _time("closed_at", closed) if closed else None
    if closed_at is not None and closed_at < opened_at:
        raise ValueError(f"closed at {closed} before it was opened at {opened}")
    return Note(
        note_id=int(note_id),
        country_name=country or "Unknown",
        opened_at=opened_at.isoformat(),
        closed_at=closed_at.isoformat() if closed_at else None,
        opened_by=None if opened_by in _ANONYMOUS else opened_by,
        closed_by=None if closed_by in _ANONYMOUS or not closed_at else closed_by,
        application_name=_application(comment) if "#" in comment else None,
    )


def _quoted_fields(text: str) -> list[str]:
    try:
        (fields,) = csv.reader([text], strict=True)
    except csv.Error as error:
        raise _NoRecordError(f"its quotes are wrong: {error}") from None
    return fields


def _time(name: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        raise ValueError(f"{name} is no date and time: {text!r}") from None


@lru_cache(maxsize=1024)
def _application(comment: str) -> str | None:
    """The first hashtag, lower case, letters and digits only."""
    hashtag = _HASHTAG.search(comment)
    if hashtag is None:
        return None
    return "".join(letter for letter in hashtag[1].lower() if letter.isalnum()) or None
