"""Printing that does not mind when nobody listens any more (`etl … | head`).

A reader that goes away, or a full disk, must not end a cycle half way, nor change its exit status.
"""

import io
import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

Cell = str | float | None
_WIDEST = 60
_UNUSUAL = re.compile(r"[^ -~]")


def tell(message: str, *, end: str = "\n") -> None:
    """Print a result on standard output."""
    print(message, end=end, flush=True)


def say(message: str) -> None:
    """Print a line on standard error, whatever names and messages are part of it."""
    print(printable(message), file=sys.stderr, flush=True)


def printable(text: str) -> str:
    """A name, a key or a message as one line that controls no terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def to_json(value: object) -> str:
    """A value as one line of JSON that controls no terminal."""

    def escape(found: re.Match[str]) -> str:
        return found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1]

    return _UNUSUAL.sub(escape, json.dumps(value, ensure_ascii=False, default=_moment))


def _moment(value: object) -> str:
    """A date, or a time in UTC, as ISO 8601 has it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def columns(titles: Sequence[str], rows: Iterable[Sequence[Cell]], left: int = 1) -> list[str]:
    """Aligned columns for people: a line of titles, then one for each row.

    One endless name must not push all the others off the screen: behind it, its own row is out
    of line. It is not cut, for it may be what is typed next.

    Args:
        titles: Of the columns.
        rows: For each a text, which goes through ``printable`` here; a number; or None, a dash.
        left: So many columns are texts, and begin at the left; the others are numbers.
    """
    cells = [list(titles), *([_cell(value) for value in row] for row in rows)]
    widths = [min(max(map(len, column)), _WIDEST) for column in zip(*cells, strict=True)]
    return [
        "  ".join(
            f"{cell:<{width}}" if place < left else f"{cell:>{width}}"
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]


def _cell(value: Cell) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return printable(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.0f}"


def is_on_terminal() -> bool:
    """Whether a person watches standard error, on a terminal that can draw."""
    can_draw = os.environ.get("TERM", "") not in ("", "dumb", "unknown")
    return sys.stderr.isatty() and can_draw


class _Patient(io.FileIO):
    """A descriptor that takes everything, whether it can be written or not."""

    is_lost = False

    def write(self, data: "ReadableBuffer", /) -> int:
        """Write it, or let it be lost."""
        try:
            return super().write(data) or 0
        except OSError:  # a reader that went away, a full disk
            self.is_lost = True
            return memoryview(data).nbytes


def is_heard() -> bool:
    """Whether all of standard output has been written so far."""
    raw = getattr(sys.stdout.buffer, "raw", None)
    return not (isinstance(raw, _Patient) and raw.is_lost)


def prepare_standard_streams() -> None:
    """Open what was closed: else the next file or socket gets the number of standard error.

    And see to it that all can be written: to nobody, and any name, whatever the encoding.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout, sys.stderr = _patient(sys.stdout, 1), _patient(sys.stderr, 2)


def _patient(stream: TextIO | None, descriptor: int) -> TextIO:
    raw = _Patient(descriptor, "w", closefd=False)
    encoding = stream.encoding if stream is not None else "utf-8"
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding, errors="backslashreplace", line_buffering=raw.isatty()
    )
