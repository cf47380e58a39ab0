"""A worker of a service, seen from outside, after it has ended."""

import selectors
import signal

from etl.stream.hands import Hand


def test_what_the_selector_tells_of_a_forgotten_worker_is_heeded_no_more() -> None:
    """It tells of pipe and socket at once; after the one nothing is left of the other."""
    with selectors.DefaultSelector() as selector:
        hand = Hand(selector)
        hand.kill()
        assert hand.forget() == []
        assert hand.listen() == []
        hand.flush()
        assert hand.reap() == -signal.SIGKILL
