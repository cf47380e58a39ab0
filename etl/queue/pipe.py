"""The queue of a worker whose items are messages: a socket to the service, which has the broker.

Messages come as frames: position, length of the key, length of the body, then both. What becomes
of them goes back as lines of the claim journal (journal.py), so it is read by the same code::

    ready      the worker has a connection to the database and waits
    claimed    it has the message in hand: should it die now, this one may be the cause
    done … busy, deferred, released

A worker has one message in hand; others may lie in the socket, and have not been begun. The
service sends at most so many as the broker gives it unacknowledged. When the socket ends, so does
the queue.
"""

import socket
import struct
from collections.abc import Collection, Sequence
from contextlib import suppress

from etl.errors import WorkerStoppedError
from etl.model import Claim, Result
from etl.queue.journal import (
    CLAIMED,
    DEFERRED,
    READY,
    RELEASED,
    Entry,
    entry_of,
    line,
)
from etl.queue.protocol import Claims

_HEAD = struct.Struct("!QHI")
_NOTHING = Claim(0, "", 0, {})


def head(position: int, key: str, body: bytes) -> bytes:
    """What goes through the socket before the body of a message."""
    name = key.encode()
    return _HEAD.pack(position, len(name), len(body)) + name


class Lines:
    """Puts together the lines that come from one worker, from pieces of any length."""

    def __init__(self) -> None:
        self._rest = b""

    def entries(self, piece: bytes) -> list[Entry]:
        """What this piece tells."""
        *whole, self._rest = (self._rest + piece).split(b"\n")
        found = [entry_of(text.decode(errors="replace")) for text in whole]
        return [entry for entry in found if entry is not None]


class PipeQueue(Claims):
    """The worker's side.

    Args:
        channel: Connected to the service; used by nobody else.
    """

    has_few_left = True
    ends_with_connection = False
    others_have_some = False  # what a dead worker had the service sends again

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._is_ready = False

    def interrupt(self) -> None:
        """Let a claim that waits end without an item; from any thread."""
        with suppress(OSError):  # the service is gone, and so nobody waits
            self._channel.shutdown(socket.SHUT_RD)

    def claim(self, worker: int) -> Claim | None:
        """Wait for the next message; None: there will be none any more."""
        if not self._is_ready:
            self._is_ready = True
            self._tell(line(READY, worker, _NOTHING))
        start = self._read(_HEAD.size)
        if start is None:
            return None
        position, of_key, of_body = _HEAD.unpack(start)
        key, body = self._read(of_key), self._read(of_body)
        if key is None or body is None:
            return None
        name = key.decode()
        claim = Claim(position, name, 1, {"message_id": name}, body=body)
        self._tell(line(CLAIMED, worker, claim))
        return claim

    def acknowledge(self, worker: int, claim: Claim, result: Result) -> list[Claim]:
        """Tell what became of a message, after its COMMIT or ROLLBACK."""
        self._tell(line(result.outcome.value, worker, claim, result))
        return []

    def exchange(
        self, worker: int, settled: Sequence[tuple[Claim, Result]], most: int = 1
    ) -> list[Claim]:
        """``acknowledge`` these; where there are none, wait for a message.

        Never both: who waits must not have the body of the message before in memory.
        """
        for claim, result in settled:
            self.acknowledge(worker, claim, result)
        if settled or not most:
            return []
        next_one = self.claim(worker)
        return [] if next_one is None else [next_one]

    def release(self, worker: int, claim: Claim) -> None:
        """Give a message back without an attempt."""
        self._tell(line(RELEASED, worker, claim))

    def defer(
        self,
        worker: int,
        claim: Claim,
        result: Result,
        *,
        is_slow: bool,  # noqa: ARG002
    ) -> None:
        """Give a message back that has failed for now, through no fault of its own."""
        self._tell(line(DEFERRED, worker, claim, result))

    def take_back(self, worker: int, positions: Collection[int]) -> None:
        """Nothing that was told as done is ever undone: each COMMIT is on disk."""

    def depth(self) -> int:
        """There may always come more."""
        return 1

    def close(self) -> None:
        """Let go of it."""
        self._channel.close()

    def _read(self, length: int) -> bytes | None:
        """So many bytes, in one piece of memory; None where the socket has ended."""
        if not length:
            return b""
        # In one go the kernel writes into the bytes that libpq is given.
        piece = self._channel.recv(length, socket.MSG_WAITALL)
        pieces = [piece]
        got = len(piece)
        while got < length and piece:  # a signal came in between
            piece = self._channel.recv(length - got, socket.MSG_WAITALL)
            pieces.append(piece)
            got += len(piece)
        if got < length:
            return None
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _tell(self, text: bytes) -> None:
        try:
            self._channel.sendall(text)
        except OSError as error:
            raise WorkerStoppedError(f"the service is gone: {error.strerror}") from error
