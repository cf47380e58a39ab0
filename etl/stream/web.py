"""What a running service answers over HTTP: whether it lives, whether it is ready, its numbers."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from etl.errors import UsageError

_TIMEOUT_S = 5.0
Answer = tuple[int, str, bytes]
_TEXT = "text/plain; charset=utf-8"
METRICS = "text/plain; version=0.0.4; charset=utf-8"
"""The type of the format of Prometheus."""


def plain(status: int, text: str) -> Answer:
    """An answer for people."""
    return status, _TEXT, f"{text}\n".encode()


class _Handler(BaseHTTPRequestHandler):
    pages: ClassVar[dict[str, Callable[[], Answer]]] = {}
    timeout = _TIMEOUT_S  # who asks and then says nothing holds a thread no longer than that

    def do_GET(self) -> None:
        """Answer with the page."""
        page = self.pages.get(self.path.partition("?")[0])
        status, kind, content = page() if page else plain(404, "/health, /ready, /metrics")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """A scrape is no news."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever went away before the answer came does not need it."""


def serve(address: str, port: int, pages: dict[str, Callable[[], Answer]]) -> tuple[str, int]:
    """Answer in a thread, for as long as the process lives.

    Args:
        address: Where to listen: a name or number of this host.
        port: Where; 0: any that is free.
        pages: Makes the answer, by path.

    Returns:
        Address and port.

    Raises:
        UsageError: It cannot listen there.
    """
    handler = type("Handler", (_Handler,), {"pages": pages})
    try:
        server = _Server((address, port), handler)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(
            f"cannot listen at {address} port {port}: {reason}", "Give another --serve ADDRESS."
        ) from error
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return address, server.server_port


def parse_address(text: str) -> tuple[str, int]:
    """Read HOST:PORT, :PORT or PORT; without a host, it is this host alone.

    Raises:
        UsageError: It is anything else.
    """
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdecimal() and int(port) <= 65_535):
        raise UsageError(
            f"--serve {text!a} is no address", "Give HOST:PORT, such as 127.0.0.1:9188."
        )
    return host.strip("[]") or "127.0.0.1", int(port)
