"""The claim journal of a file queue: one readable line for each thing that happens.

It is written by workers and read by their supervisor, for progress while the cycle runs
and for the ledger when it closes; after a crash the next cycle reads it instead. So what
happened is told in one place only. Fields are separated by tabs and escaped as in COPY's
text format::

    at  event  worker  position  level  item_key  duration_ms  sqlstate  message  weight

``at`` is seconds since 1970, ``event`` is claimed, released, deferred, an outcome, or
taken_back, after a done that a crash of the server undid.

An outcome has to be told also on a full disk: its item is committed by then. So some disk
space is set aside when the journal begins, and given up when the first outcome needs it.
"""

import errno
import os
import time
from pathlib import Path
from typing import NamedTuple

from etl.errors import StateFolderError
from etl.folders import MAKE_ROOM
from etl.keyrange import FIRST_KEY
from etl.model import WEIGHT, Claim, Outcome, Result
from etl.trust import open_private

CLAIMED = "claimed"
RELEASED = "released"
DEFERRED = "deferred"
TAKEN_BACK = "taken_back"
READY = "ready"
"""Told by a worker that waits for what comes through a pipe; never in a file."""

_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_ESCAPE = str.maketrans(_ESCAPES)
_UNESCAPE = {escaped[1]: plain for plain, escaped in _ESCAPES.items()}
OUTCOMES = {outcome.value: outcome for outcome in Outcome} | {DEFERRED: Outcome.FAILED}
"""The outcome that each event with a result tells."""

_GIVEN = (CLAIMED, RELEASED, TAKEN_BACK, READY)
_NEVER = 253_402_300_800.0  # the year 10000: the ledger will want the moment as a date
_CHUNK = 1 << 16
_RESERVE = 1 << 16  # bytes: an outcome of a hundred workers, each with the longest message


def escape(text: str) -> str:
    """Write a field so that it holds no tab and no end of line."""
    return text if text.isalnum() else text.translate(_ESCAPE)


def unescape(text: str) -> str:
    """Read a field back."""
    if "\\" not in text:
        return text
    parts = iter(text)
    return "".join(
        _UNESCAPE.get(follower := next(parts, "\\"), follower) if part == "\\" else part
        for part in parts
    )


class Entry(NamedTuple):
    """One line of the journal.

    Attributes:
        at: Seconds since 1970.
        event: claimed, released, deferred, taken_back, or an outcome.
        worker: Number of the worker it is about.
        claim: The claim it is about; of the values of its row only the weight, if it has one.
        result: The result, where the event is an outcome; where it is deferred, the result
            that it has unless it comes again.
    """

    at: float
    event: str
    worker: int
    claim: Claim
    result: Result | None

    @property
    def is_outcome(self) -> bool:
        """Whether the claim has come to its end."""
        return self.result is not None and self.event != DEFERRED


class Journal:
    """The journal of one queue.

    Args:
        path: Its file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        self._reserved: int | None = None
        self._reader: int | None = None
        self._read_up_to = 0

    @property
    def _reserve(self) -> Path:
        return self._path.with_name("reserve")

    def begin(self) -> None:
        """Make the file, and set disk space aside."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        os.close(open_private(self._path, flags))
        descriptor = open_private(self._reserve, flags)
        try:
            self._write(descriptor, bytes(_RESERVE))
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Let the file go."""
        for descriptor in (self._file, self._reserved, self._reader):
            if descriptor is not None:
                os.close(descriptor)
        self._file = self._reserved = self._reader = None

    def append(self, lines: bytes, *, is_claim: bool = False) -> None:
        """Add lines; the caller holds the queue's lock.

        Args:
            lines: One or more, each from ``line``.
            is_claim: Whether one of them is a claim: those may not use the disk space that is
                set aside.

        Raises:
            StateFolderError: They cannot be written; the journal is as it was before.
        """
        if self._file is None or self._reserved is None:
            self._file, self._reserved = self._open()
        if is_claim and not os.fstat(self._reserved).st_size:
            # The room that was given up is for outcomes: claims would soon have used it.
            raise self._unwritable(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        try:
            self._write(self._file, lines)
        except OSError as error:
            if is_claim or error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise self._unwritable(error) from error
            try:
                os.close(open_private(self._reserve, os.O_WRONLY | os.O_TRUNC))
                self._write(self._file, lines)
            except OSError as again:
                raise self._unwritable(again) from again

    def _open(self) -> tuple[int, int]:
        try:
            self._mend_end()
            return (
                open_private(self._path, os.O_WRONLY | os.O_APPEND),
                open_private(self._reserve, os.O_RDONLY),
            )
        except OSError as error:
            raise StateFolderError(
                f"cannot write {self._path}: {error.strerror}",
                "The folder of a running cycle must be left alone.",
            ) from error

    @staticmethod
    def _write(descriptor: int, content: bytes) -> None:
        """Write all of it, or nothing."""
        written = os.write(descriptor, content)
        if written < len(content):
            os.ftruncate(descriptor, os.fstat(descriptor).st_size - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _unwritable(self, error: OSError) -> StateFolderError:
        return StateFolderError(f"cannot write {self._path}: {error.strerror}", MAKE_ROOM)

    def _mend_end(self) -> None:
        """End a line that a crash of the machine cut off, so that the next one is whole."""
        descriptor = open_private(self._path, os.O_RDWR)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                os.pwrite(descriptor, b"\n", size)
        finally:
            os.close(descriptor)

    def entries(self) -> list[Entry]:
        """The whole lines that were added since the last call, a batch at a time.

        A line that is none, as a crash of the machine may leave, is passed over.
        """
        if self._reader is None:
            try:
                self._reader = open_private(self._path, os.O_RDONLY)
            except OSError:
                return []
        chunk = bytearray()
        # A line may be long: each read as long as all before, so that its cost stays in proportion.
        while more := os.pread(
            self._reader, max(_CHUNK, len(chunk)), self._read_up_to + len(chunk)
        ):
            chunk += more
            if b"\n" in more:
                break
        chunk = chunk[: chunk.rfind(b"\n") + 1]
        self._read_up_to += len(chunk)
        # Not splitlines(): that also splits at characters that may stand in a key.
        lines = chunk.decode(errors="replace").split("\n")[:-1]
        return [entry for text in lines if (entry := entry_of(text)) is not None]


def line(event: str, worker: int, claim: Claim, result: Result | None = None) -> bytes:
    """The line of the journal for something that happens now."""
    fields = f"{time.time():.3f}\t{event}\t{worker}\t{claim.position}\t{claim.level}\t"
    fields += escape(claim.item_key)
    if result is not None:
        fields += f"\t{result.duration_ms:.3f}\t{result.sqlstate}\t{escape(result.message)}"
        fields += f"\t{claim.values.get(WEIGHT) or ''}"
    elif FIRST_KEY in claim.values:  # counts are of keys, also where its worker dies
        fields += f"\t\t\t\t{claim.values.get(WEIGHT) or ''}"
    return f"{fields}\n".encode(errors="replace")


def entry_of(text: str) -> Entry | None:
    """What a line tells; None where it is none."""
    try:
        at, event, worker, position, level, key, *rest = text.split("\t")
        result = None
        duration, sqlstate, message, weight = (*rest, "", "", "", "")[:4]
        float(weight or 0)  # else the ledger would not take it
        if duration:
            result = Result(OUTCOMES[event], float(duration), sqlstate, unescape(message))
        elif event not in _GIVEN:
            return None
        claim = Claim(int(position), unescape(key), int(level), {WEIGHT: weight} if weight else {})
        moment = float(at)
        return Entry(moment, event, int(worker), claim, result) if 0 <= moment < _NEVER else None
    except (KeyError, ValueError):
        return None
