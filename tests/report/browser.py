"""A real Chromium without a screen, and everything it says and asks for while it shows a page."""

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

_OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-extensions",
    "--disable-sync", "--disable-default-apps", "--window-size=1100,1400",
    "--enable-logging=stderr", "--v=0",
)  # fmt: skip
# The browser asks its maker for news whatever it is told: not the page's doing.
_ITS_OWN = re.compile(r"\.(google|googleapis|gstatic|gvt1)\.com\b")
_INSTALL = "apt-get install -y --no-install-recommends chromium"


@dataclass(frozen=True)
class Seen:
    """What came of showing a page.

    Attributes:
        dom: The page as the browser understood it, as HTML.
        console: What it complained of.
        requests: Paths and addresses that were asked for, in order.
    """

    dom: str
    console: list[str]
    requests: list[str]


def chromium() -> str:
    """The program. Skips the test where there is none, but not on the machine that checks all."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    if os.environ.get("CI") == "true":
        pytest.fail(f"the report is to be tested in a browser: {_INSTALL}")
    pytest.skip(f"NO BROWSER HERE, the report was not looked at: {_INSTALL}")


def show(pages: Mapping[str, str], start: str, profile: Path) -> Seen:
    """Show one of these pages; every request of the browser, to any host, ends up here.

    Args:
        pages: HTML by path, such as ``/report.html``.
        start: The path of the page to show.
        profile: A folder for the browser's own files.
    """
    program = chromium()
    with _proxy(pages) as (port, requests):
        done = subprocess.run(
            [
                program, *_OPTIONS, f"--user-data-dir={profile}",
                f"--proxy-server=127.0.0.1:{port}", "--proxy-bypass-list=<-loopback>",
                "--dump-dom", f"http://report.test{start}",
            ],
            capture_output=True,
            check=False,
            timeout=60,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    logged = done.stderr.decode(errors="replace").splitlines()
    return Seen(
        dom=done.stdout.decode(),
        console=[line for line in logged if ":CONSOLE" in line],
        requests=[asked for asked in requests if not _ITS_OWN.search(asked)],
    )


@contextmanager
def _proxy(pages: Mapping[str, str]) -> Generator[tuple[int, list[str]]]:
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.path.removeprefix("http://report.test")
            requests.append(asked)
            body = pages.get(asked, "").encode()
            self.send_response(200 if asked in pages else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_CONNECT(self) -> None:
            requests.append(self.path)
            self.send_error(502)

        do_POST = do_HEAD = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1], requests
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
