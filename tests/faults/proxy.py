"""A TCP proxy in front of a server, which a test can break in every way.

It is real: the client has a TCP connection that can be reset, closed, frozen or refused,
while the server goes on."""

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import TypeVar, cast

from psycopg.conninfo import make_conninfo

from tests.ports import free_port

T = TypeVar("T")
_CHUNK = 1 << 16
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no time: close() sends RST, not FIN

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Proxy:
    """Forwards TCP connections to a server, in a thread of its own, while entered.

    Args:
        server: The server's Unix socket, or its port on this host.
    """

    def __init__(self, server: Path | int) -> None:
        self._server = server
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._listener: asyncio.Server | None = None
        self._is_dropping = False
        self._clients: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._flowing: dict[asyncio.Task[None], asyncio.Event] = {}
        self.port = free_port()
        self.accepted = 0

    def __enter__(self) -> "Proxy":
        self._thread.start()
        self.accept()
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse()
        self.thaw()
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def dsn(self, dbname: str, user: str) -> str:
        return make_conninfo(host="127.0.0.1", port=self.port, user=user, dbname=dbname)

    def accept(self) -> None:
        """Take new connections, on the same port as before, and forward them."""
        self._is_dropping = False
        if self._listener is None:
            self._do(self._listen())

    def refuse(self) -> None:
        """Refuse new connections; those that exist go on."""
        self._do(self._stop_listening())

    def drop(self) -> None:
        """Take new connections and close them at once."""
        self._is_dropping = True

    def freeze(self) -> None:
        """Stall the connections that exist: nothing is forwarded, and none is closed."""
        self._do(self._stall())

    def thaw(self) -> None:
        """Forward what has come in, and go on."""
        self._do(self._flow())

    def cut(self, *, is_reset: bool = True) -> int:
        """Close all connections, by RST or by FIN. Returns how many."""
        return self._do(self._cut(is_reset))

    def _do(self, what: Coroutine[None, None, T]) -> T:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(timeout=30)

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._forward, "127.0.0.1", self.port)

    async def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
            await asyncio.sleep(0)  # the loop closes the socket in its next round

    async def _cut(self, is_reset: bool) -> int:
        if is_reset:
            for writer in self._clients.values():
                connected: socket.socket = writer.get_extra_info("socket")
                connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        tasks = list(self._clients)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return len(tasks)

    async def _stall(self) -> None:
        for flowing in self._flowing.values():
            flowing.clear()

    async def _flow(self) -> None:
        for flowing in self._flowing.values():
            flowing.set()

    async def _end(self) -> None:
        await self._cut(is_reset=True)
        await asyncio.sleep(0)

    async def _reach(self) -> Streams:
        if isinstance(self._server, int):
            return await asyncio.open_connection("127.0.0.1", self._server)
        return await asyncio.open_unix_connection(str(self._server))

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if self._is_dropping:
            writer.transport.abort()
            return
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._clients[task] = writer
        flowing = self._flowing[task] = asyncio.Event()
        flowing.set()
        try:
            server = await self._reach()
            try:
                await _exchange((reader, writer), server, flowing)
            finally:
                server[1].transport.abort()
        except (OSError, asyncio.CancelledError):
            pass  # the server is down, or the connection is cut: so is the client's
        finally:
            del self._clients[task], self._flowing[task]
            writer.close()


async def _exchange(client: Streams, server: Streams, flowing: asyncio.Event) -> None:
    """Forward in both directions until one side hangs up."""
    pumps = [
        asyncio.ensure_future(_pump(client[0], server[1], flowing)),
        asyncio.ensure_future(_pump(server[0], client[1], flowing)),
    ]
    try:
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


async def _pump(
    source: asyncio.StreamReader, sink: asyncio.StreamWriter, flowing: asyncio.Event
) -> None:
    while chunk := await source.read(_CHUNK):
        await flowing.wait()
        sink.write(chunk)
        await sink.drain()
