"""Notes as the reader hands them to COPY, read back into values."""

import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from etl.notes.reader import Reject, read_notes

_ESCAPES = {r"\\": "\\", r"\n": "\n", r"\r": "\r", r"\t": "\t"}


class Note(NamedTuple):
    """One line of the text format of COPY, in the order of its columns."""

    note_id: int
    country_name: str
    opened_at: str
    closed_at: str | None
    opened_by: str | None
    closed_by: str | None
    application_name: str | None


def notes_and_rejects(stream: BinaryIO, name: str = "notes.csv") -> Iterator[Note | Reject]:
    """Everything that stands below the header, in its order."""
    for found in read_notes(stream, name):
        if isinstance(found, Reject):
            yield found
            continue
        lines = found.text.removesuffix("\n").split("\n")
        assert len(lines) == found.notes
        for line in lines:
            note_id, *values = map(_value, line.split("\t"))
            country, opened_at, *rest = values
            assert note_id is not None
            assert country is not None
            assert opened_at is not None
            yield Note(int(note_id), country, opened_at, *rest)


def _value(text: str) -> str | None:
    if text == r"\N":
        return None
    return re.sub(r"\\.", lambda found: _ESCAPES[found[0]], text)
