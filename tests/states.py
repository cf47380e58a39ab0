"""State folders of the tests' own, outside of pytest's: a server's account has to reach them."""

import os
import shutil
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from etl.embedded import EmbeddedServer


@contextmanager
def state_folder() -> Generator[Path]:
    """A folder; afterwards it is gone, with the server that may have been started there."""
    folder = Path(tempfile.mkdtemp(prefix="etl-test-"))
    try:
        yield folder
    finally:
        server = EmbeddedServer.of(folder, os.environ)
        server.stop()
        for left in (server.home, folder):
            shutil.rmtree(left, ignore_errors=True)


@contextmanager
def own_server(environment: Mapping[str, str] = os.environ) -> Generator[EmbeddedServer]:
    """A server in such a folder, started."""
    with state_folder() as folder:
        server = EmbeddedServer.of(folder, environment)
        server.start()
        try:
            yield server
        finally:
            server.stop()  # by its own programs
