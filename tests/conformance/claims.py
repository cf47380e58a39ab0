"""A process that uses a queue: run by queues.py with IMPLEMENTATION ADDRESS WORKER.

It opens the queue, says ``ready`` and waits for an order: ``drain`` claims and acknowledges
until there is nothing left and tells each position; ``claim`` claims one item, tells its key
and waits to be killed.
"""

import signal
import sys

from etl.model import Outcome, Result
from tests.conformance.queues import open_queue


def main() -> None:
    """Do what the line on standard input says."""
    implementation, address, number = sys.argv[1:]
    queue, worker = open_queue(implementation, address), int(number)
    _say("ready")
    order = sys.stdin.readline()
    while (claim := queue.claim(worker)) is not None:
        if order == "claim\n":
            _say(claim.item_key)
            signal.pause()
        queue.acknowledge(worker, claim, Result(Outcome.DONE, 0.1))
        _say(str(claim.position))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
