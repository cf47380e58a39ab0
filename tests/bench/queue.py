"""Bar 7: claims from a long queue against a short one, and many processes against one."""

import os
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from etl.model import Outcome, Result
from etl.queue import FileQueue
from tests.bench.measure import Measurement, Samples, alternate, compared, took_s
from tests.bench.warehouse import Bench

_DONE = Result(Outcome.DONE, 1.0)
_PROCESSES = 8


def measure(bench: Bench) -> Iterator[Measurement]:
    """All three figures of the bar."""
    size = bench.size
    long = _Queues(bench.server.folder / "long", size.long_queue)
    short = _Queues(bench.server.folder / "short", size.short_queue)
    claims = size.claims // 20
    for what, is_pair in (("claim", False), ("claim and acknowledge", True)):
        ours, rival = alternate(
            5 * size.rounds,
            partial(long.claim_us, claims, is_pair),
            partial(short.claim_us, claims, is_pair),
        )
        what = f"{what}, queue of {size.long_queue:,} items"
        yield compared(7, what, ours, f"of {size.short_queue:,} items", rival, "us", most=1.2)
    for what, is_pair in (("claims", False), ("claims and acknowledgements", True)):
        many, one = alternate(
            size.rounds,
            partial(_rate, bench, _PROCESSES, is_pair),
            partial(_rate, bench, 1, is_pair),
        )
        yield from _rates(what, many, one, is_pair)


def _rates(what: str, many: Samples, one: Samples, is_pair: bool) -> Iterator[Measurement]:
    if not is_pair:
        yield Measurement(
            7, f"{what} of one process", one.told("/s"), "", one.median, "/s", 30_000, True
        )
    what = f"{what} of {_PROCESSES} processes in total"
    yield compared(7, what, many, "one process", one, "/s", least=1)


class _Queues:
    """Queues of one length; another one where the last is used up."""

    def __init__(self, folder: Path, items: int) -> None:
        self._folder, self._items = folder, items
        self._made = self._left = 0
        self._queue: FileQueue | None = None

    def claim_us(self, claims: int, is_pair: bool) -> float:
        """What a claim takes, microseconds, with its acknowledgement where is_pair."""
        taken_s = 0.0
        made = 0
        while made < claims:
            queue = self._next()
            part = min(claims - made, self._left)
            taken_s += took_s(partial(_claim, queue, part, is_pair))
            self._left -= part
            made += part
        return 1e6 * taken_s / claims

    def _next(self) -> FileQueue:
        if self._queue is None or not self._left:
            if self._queue is not None:
                self._queue.close()
            self._made += 1
            self._queue = _build(
                self._folder.with_name(f"{self._folder.name}{self._made}"), self._items
            )
            self._queue.claim(1)  # opens its files
            self._left = self._items - 1
        return self._queue


def _build(folder: Path, items: int) -> FileQueue:
    queue = FileQueue(folder)
    queue.build(("item_key", "level"), ((key, 1) for key in range(1, items + 1)))
    return queue


def _claim(queue: FileQueue, claims: int, is_pair: bool) -> None:
    for _ in range(claims):
        claim = queue.claim(1)
        if claim is None:
            raise ValueError("the queue is empty too early")
        if is_pair:
            queue.acknowledge(1, claim, _DONE)


def _rate(bench: Bench, processes: int, is_pair: bool) -> float:
    """Claims a second of so many processes in total, which start together."""
    folder = bench.server.folder / f"contended-{time.monotonic_ns()}"
    each = bench.size.claims // processes
    with closing(_build(folder, each * processes)):
        gate, opener = os.pipe()
        children = [_fork(folder, each, is_pair, gate, opener) for _ in range(processes)]
        os.close(gate)
        begun = time.perf_counter()
        os.close(opener)
        statuses = [os.waitpid(child, 0)[1] for child in children]
        taken_s = time.perf_counter() - begun
    if any(statuses):
        raise ValueError(f"processes that claim have ended with {statuses}")
    return each * processes / taken_s


def _fork(folder: Path, claims: int, is_pair: bool, gate: int, opener: int) -> int:
    """A process that claims as soon as the gate's other end is closed everywhere."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        os.close(opener)
        with closing(FileQueue(folder)) as queue:
            os.read(gate, 1)
            _claim(queue, claims, is_pair)
        status = 0
    finally:
        os._exit(status)
