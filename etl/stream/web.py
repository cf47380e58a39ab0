"""What a running service answers over HTTP: whether it lives, whether it is ready, its numbers."""

import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from etl.errors import UsageError
from etl.stream.service import Service

_TIMEOUT_S = 5.0
Answer = tuple[int, str, bytes]
_TEXT = "text/plain; charset=utf-8"
_METRICS = "text/plain; version=0.0.4; charset=utf-8"


def _plain(status: int, text: str) -> Answer:
    """An answer for people."""
    return status, _TEXT, f"{text}\n".encode()


class _Handler(BaseHTTPRequestHandler):
    pages: ClassVar[dict[str, Callable[[], Answer]]] = {}
    timeout = _TIMEOUT_S  # who asks and then says nothing holds a thread no longer than that

    def do_GET(self) -> None:
        """Answer with the page."""
        page = self.pages.get(self.path.partition("?")[0])
        status, kind, content = page() if page else _plain(404, "/health, /ready, /metrics")
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


def serve(service: Service, host: str, port: int) -> str:
    """Answer in a thread, for as long as the process lives.

    Args:
        service: What is asked about.
        host: Where to listen: a name or number of this host.
        port: Where; 0: any that is free.

    Returns:
        Its URL.

    Raises:
        UsageError: It cannot listen there.
    """
    try:
        (family, *_), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        # Made for one address: the library takes the kind of address from the class.
        kind = type("Server", (_Server,), {"address_family": family})
        server = kind((host, port), type("Handler", (_Handler,), {"pages": _pages(service)}))
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(
            f"cannot listen at {host} port {port}: {reason}", "Give another --serve ADDRESS."
        ) from error
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://{f'[{host}]' if ':' in host else host}:{server.server_port}"


def _pages(service: Service) -> dict[str, Callable[[], Answer]]:
    def ready() -> Answer:
        if service.is_ready:
            return _plain(200, "ready")
        return _plain(503, f"not ready: {service.trouble}")

    def numbers() -> Answer:
        depths = dict(service.link.depths)
        return 200, _METRICS, service.metrics.exposition(depths, is_ready=service.is_ready)

    def health() -> Answer:
        return _plain(200, "alive") if service.is_alive else _plain(503, "stuck")

    return {"/health": health, "/ready": ready, "/metrics": numbers}


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
