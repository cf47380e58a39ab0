"""A worker of a service, seen from outside, after it has ended."""

import selectors
import signal

from etl.stream.worker import StreamWorker


def test_what_the_selector_tells_of_a_forgotten_worker_is_heeded_no_more() -> None:
    """It tells of pipe and socket at once; after the one nothing is left of the other."""
    with selectors.DefaultSelector() as selector:
        worker = StreamWorker(selector)
        worker.kill()
        assert worker.forget() == []
        assert worker.listen() == []
        worker.flush()
        assert worker.reap() == -signal.SIGKILL
