"""The lines of a file, taken one by one or given back, in bounded memory."""

from collections import deque
from typing import BinaryIO

_BLOCK_BYTES = 1 << 17
_LINE_BYTES = 1 << 20
_RECORD_LINES = 100


class Lines:
    """Lines without their ends; only a line feed ends one.

    Args:
        stream: The uncompressed bytes.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._waiting: deque[bytes] = deque()

    def take(self) -> bytes | None:
        """The next line; what it has beyond the limit is skipped. None at the end."""
        if self._waiting or self._read():
            return self._waiting.popleft()
        return None

    def give_back(self, lines: list[bytes]) -> None:
        """Take these again next."""
        self._waiting.extendleft(reversed(lines))

    def rest_of_record(self, first: bytes) -> list[bytes]:
        """The lines up to the one that closes the quote which a record's first line opens."""
        more: list[bytes] = []
        if first.count(b'"') % 2 == 0:
            return more
        while len(more) < _RECORD_LINES and (following := self.take()) is not None:
            more.append(following)
            if following.count(b'"') % 2:
                return more
        self.give_back(more)
        return []

    def _read(self) -> bool:
        """Read the lines of one block and the rest of its last one.

        Splitting a block takes half the time of asking the stream for each line.

        Returns:
            Whether there were any.
        """
        block = self._stream.read(_BLOCK_BYTES)
        if not block:
            return False
        if not block.endswith(b"\n"):
            block += self._stream.readline(_LINE_BYTES)
        is_ended = block.endswith(b"\n")
        lines = block.removesuffix(b"\n").split(b"\n")
        if not is_ended:
            self._skip_line()
        lines[-1] = lines[-1][:_LINE_BYTES]
        self._waiting.extend(lines)
        return True

    def _skip_line(self) -> None:
        while (skipped := self._stream.readline(_LINE_BYTES)) and not skipped.endswith(b"\n"):
            pass
