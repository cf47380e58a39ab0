"""A worker process that gets its messages through a socket, seen from the service."""

import selectors
import socket
from collections import deque
from contextlib import suppress
from dataclasses import replace

from etl.crew.process import Process
from etl.model import Orders
from etl.queue import Entry, entry_of, head
from etl.stream.message import Message

_PIECE = 1 << 16


class StreamWorker(Process):
    """A worker process with a socket.

    Args:
        selector: Watches the socket; the data is this.

    Attributes:
        sent: The messages it was sent and that have no outcome, by position, in order.
        claimed: The position of the one that it works on; None: none.
        is_ready: Whether it has a connection to the database.

    Raises:
        OSError: It cannot be started.
    """

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self.channel, theirs = socket.socketpair()
        self._theirs = theirs.fileno()
        try:
            super().__init__([self._theirs])
        except BaseException:
            self.channel.close()
            raise
        finally:
            theirs.close()
        self.channel.setblocking(False)
        self._begun_line = b""
        self._outgoing: deque[memoryview] = deque()
        self.sent: dict[int, Message] = {}
        self.claimed: int | None = None
        self.is_ready = False
        self._is_leaving = False
        self._is_forgotten = False

    @property
    def is_taking(self) -> bool:
        """Whether it can be sent a message."""
        return self.is_ready and not self._is_leaving

    def begin(self, orders: Orders) -> None:
        """Give it its orders."""
        super().begin(replace(orders, channel=self._theirs))
        self._selector.register(self.channel, selectors.EVENT_READ, self)

    def send(self, message: Message) -> None:
        """Send it a message; what does not fit into the socket now goes later."""
        self.sent[message.position] = message
        self._outgoing.append(memoryview(head(message.position, message.key, message.body)))
        self._outgoing.append(memoryview(message.body))
        self.flush()

    def flush(self) -> None:
        """Send what still waits to be sent, as far as the socket takes it."""
        if self._is_forgotten:
            return
        try:
            while self._outgoing:
                piece = self._outgoing[0]
                gone = self.channel.send(piece) if piece else 0
                if gone < len(piece):
                    self._outgoing[0] = piece[gone:]
                    break
                self._outgoing.popleft()
        except BlockingIOError:
            pass
        except OSError:  # it takes no more: it ends, and then what it did not get is seen to
            self._is_leaving = True
            self._outgoing.clear()
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._outgoing else 0)
        with suppress(KeyError):
            if self._selector.get_key(self.channel).events != events:
                self._selector.modify(self.channel, events, self)

    def listen(self) -> list[Entry]:
        """What it has told since the last time; what it said before it ended comes too."""
        found: list[Entry] = []
        while not self._is_forgotten:
            try:
                piece = self.channel.recv(_PIECE)
            except BlockingIOError:
                return found
            except OSError:
                piece = b""
            if not piece:
                with suppress(KeyError):
                    self._selector.unregister(self.channel)
                return found
            *lines, self._begun_line = (self._begun_line + piece).split(b"\n")
            entries = (entry_of(line.decode(errors="replace")) for line in lines)
            found += [entry for entry in entries if entry is not None]
        return found

    def forget(self) -> list[Message]:
        """It has ended: the messages that have no outcome."""
        with suppress(KeyError):
            self._selector.unregister(self.channel)
        self._is_forgotten = True  # the selector may tell of it once more
        self.channel.close()
        self._outgoing.clear()
        left = list(self.sent.values())
        self.sent.clear()
        return left
