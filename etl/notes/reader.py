"""Reads the CSV layout in which notes are published: a note or a reason for every record.

One record that is broken never takes others with it. A quote that is never closed makes
csv readers swallow the rest of the file; here a record may span 100 lines, and if its quotes
are not balanced by then its first line is rejected and reading goes on with the second. So
memory is bounded by the longest record allowed, not by the file.
"""

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from operator import itemgetter
from typing import BinaryIO

from etl.errors import InputError
from etl.notes.lines import Lines

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
_LARGEST_NOTE_ID = 2**63 - 1
_NOTE_ID = re.compile(r"0*[1-9][0-9]{0,18}\Z")
_PLAIN_ID = re.compile(r"[1-9][0-9]{0,17}\Z")
_PLAIN_TIME = re.compile(r"\d{4}-\d\d-\d\d (?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\Z", re.ASCII)
_DAY_LENGTH = len("2026-01-16")
_NULL = r"\N"
_ESCAPED = str.maketrans({"\\": r"\\", "\n": r"\n", "\r": r"\r", "\t": r"\t"})
_BATCH = 4096

_Choice = Callable[[list[str]], tuple[str, ...]]
"""Takes the fields that are needed, in the order of _NEEDED, from all of a record."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Notes, ready to be copied.

    Attributes:
        notes: How many.
        text: A line for each in the text format of COPY: note_id, country_name, opened_at,
            closed_at, opened_by, closed_by, application_name. Times in UTC.
    """

    notes: int
    text: str


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


def read_notes(stream: BinaryIO, name: str) -> Iterator[Rows | Reject]:
    """Read a whole file.

    Args:
        stream: The uncompressed bytes.
        name: How the file is called in messages.

    Raises:
        InputError: It is empty, or its first line is not the header.
    """
    lines = Lines(stream)
    columns = _header(name, lines.take())
    width = len(columns)
    needed = itemgetter(*(columns.index(column) for column in _NEEDED))
    line = 2
    rows: list[str] = []
    while (first := lines.take()) is not None:
        found: str | Reject | None = _plain_row(first, width, needed)
        taken = 1
        if found is None:
            found, taken = _look_closely(lines, line, first, width, needed)
        line += taken
        if isinstance(found, str):
            rows.append(found)
            if len(rows) < _BATCH:
                continue
        if rows:
            yield Rows(len(rows), "".join(rows))
            rows.clear()
        if isinstance(found, Reject):
            yield found
    if rows:
        yield Rows(len(rows), "".join(rows))


def _look_closely(
    lines: Lines, line: int, first: bytes, width: int, needed: _Choice
) -> tuple[str | Reject, int]:
    """The row of the record that begins with a line, or why it is none; lines it takes."""
    more = lines.rest_of_record(first)
    record = b"\n".join((first, *more))
    try:
        return _row(record, width, needed), 1 + len(more)
    except _NoRecordError as problem:
        # Several lines that are no record together: the first one's quote is the mistake.
        lines.give_back(more)
        return Reject(line, str(problem), _text(first)), 1
    except ValueError as problem:
        return Reject(line, str(problem), _text(record)), 1 + len(more)


class _NoRecordError(ValueError):
    """The quotes or the number of fields are wrong."""


def _text(record: bytes) -> str:
    return record.decode(errors="backslashreplace").rstrip("\r\n")


def _header(name: str, first: bytes | None) -> list[str]:
    if first is None:
        raise InputError(f"{name} is empty", "Give a file of notes with its header.")
    text = first.removeprefix(b"\xef\xbb\xbf").decode(errors="replace").strip()
    try:
        columns = _fields(text)
    except _NoRecordError as problem:
        raise InputError(f"{name}:1: the header: {problem}", "Mend its quotes.") from None
    missing = [column for column in _NEEDED if column not in columns]
    if missing:
        raise InputError(
            f"{name}:1: the header is missing or lacks: {', '.join(missing)}",
            "The first line must name the columns, as in the published files.",
        )
    return columns


def _plain_row(line: bytes, width: int, needed: _Choice) -> str | None:
    """The row of an ordinary record; None where it must be looked at closely.

    Nearly all are ordinary. What is copied as it stands may hold nothing that COPY or csv
    take for their own. The same as by _row takes twice as long.
    """
    if b'"' in line or b"\\" in line or b"\t" in line or b"\0" in line or b"\r" in line:
        return None
    try:
        fields = line.decode().split(",")
    except UnicodeDecodeError:
        return None
    if len(fields) != width:
        return None
    note_id, country, opened, closed, opened_by, closed_by, comment = needed(fields)
    opened_at = _plain_opening(opened)
    if opened_at is None or not _PLAIN_ID.match(note_id):
        return None
    if not closed:
        closed, closed_by = _NULL, ""
    elif not _PLAIN_TIME.match(closed) or closed < opened_at or not _is_day(closed[:10]):
        return None
    opened_by = _NULL if opened_by in _ANONYMOUS else opened_by
    closed_by = _NULL if closed_by in _ANONYMOUS else closed_by
    application = (_application(comment) or _NULL) if "#" in comment else _NULL
    return (
        f"{note_id}\t{country or 'Unknown'}\t{opened_at}\t{closed}"
        f"\t{opened_by}\t{closed_by}\t{application}\n"
    )


# Many notes were opened on the same day, their time of day unknown.
@lru_cache(maxsize=4096)
def _plain_opening(text: str) -> str | None:
    moment = text if len(text) > _DAY_LENGTH else f"{text} 00:00:00"
    return moment if _PLAIN_TIME.match(moment) and _is_day(moment[:10]) else None


@lru_cache(maxsize=4096)
def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _row(record: bytes, width: int, needed: _Choice) -> str:
    """The row of any record.

    Raises:
        ValueError: It is no note; the message says why.
    """
    if b"\0" in record:
        raise ValueError("holds a NUL byte")
    try:
        text = record.decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 at byte {error.start + 1}") from None
    fields = _fields(text)
    if len(fields) != width:
        raise _NoRecordError(f"has {len(fields)} fields instead of {width}")
    note_id, country, opened, closed, opened_by, closed_by, comment = needed(fields)
    if not _NOTE_ID.match(note_id) or int(note_id) > _LARGEST_NOTE_ID:
        raise ValueError(f"note_id is no positive number: {note_id!r}")
    opened_at = _time("opened_at", opened)
    closed_at = _time("closed_at", closed) if closed else None
    if closed_at is not None and closed_at < opened_at:
        raise ValueError(f"closed at {closed} before it was opened at {opened}")
    values = (
        str(int(note_id)),
        country or "Unknown",
        str(opened_at),
        str(closed_at) if closed_at else None,
        None if opened_by in _ANONYMOUS else opened_by,
        None if closed_by in _ANONYMOUS or not closed_at else closed_by,
        _application(comment) if "#" in comment else None,
    )
    escaped = (_NULL if value is None else value.translate(_ESCAPED) for value in values)
    return "\t".join(escaped) + "\n"


def _fields(text: str) -> list[str]:
    if '"' not in text:
        return text.split(",")
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
