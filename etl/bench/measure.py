"""A bench from its beginning to its end, within a limit of items and of time.

All that it writes is a scratch folder in the state folder, and rows that are rolled back. The
time limit is shared out: what the listing leaves, half for one worker at most, then the same
items for more and more workers, fewer of them where there is no time for all.
"""

import fcntl
import os
import shutil
import signal
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from etl import db, deploy
from etl.bench.attempt import RolledBack, session, settle_session
from etl.bench.crew import Crew
from etl.bench.listing import look
from etl.bench.one_worker import BareLoop, measure, warm_up
from etl.bench.report import Listing, OneWorker, Report, Run
from etl.bench.waits import limit_of
from etl.errors import BenchRunningError, StateFolderError
from etl.folders import MAKE_ROOM, private_folder
from etl.job import Job
from etl.ledger import rounds
from etl.model import Claim, CycleRecord, Orders
from etl.queue import FileQueue
from etl.sqlfile import shipped

_WARM_UP_ITEMS = 10
_WARM_UP_SHARE = 0.1  # of the time that is left
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """What a user may decide about a bench.

    Attributes:
        as_of: The day that counts as today, UTC.
        items: How many items at most.
        workers: How many workers at most.
        time_limit_s: How long it may take in all; a statement in hand is finished.
    """

    as_of: date
    items: int
    workers: int
    time_limit_s: float


class Bench:
    """One bench of a job on a database.

    Args:
        job: The job.
        target: The database.
        state: The state folder.
        options: What the user decided.
    """

    def __init__(self, job: Job, target: db.Target, state: Path, options: BenchOptions) -> None:
        self._job = job
        self._target = target
        self._state = state
        self._options = options
        self._begun = time.monotonic()
        self._deadline = self._begun + options.time_limit_s
        self._parameters = job.parameters(options.as_of)
        self._report = Report(job.name, options.as_of, options.items)

    def run(self) -> Report:
        """Measure.

        Raises:
            EtlError: It could not be done, or not without changing anything.
        """
        self._job.check()
        name = f"etl:bench {self._job.command}"
        with session(self._target, name) as connection, _scratch(self._state) as folder:
            deploy.require_current(connection, self._job)
            self._job = rounds.expected(connection, self._job)
            self._report.cycle = _running_cycle(connection, self._job)
            self._report.listing, claims = self._list(connection, folder)
            if claims:
                self._report.one_worker = self._one_worker(claims, folder)
            if self._report.one_worker is not None:
                affordable = self._affordable(claims, self._report.one_worker)
                self._report.runs = self._more_workers(connection, affordable, folder)
            if self._report.runs:
                self._report.limit = limit_of(self._report.runs[-1].load)
        self._report.duration_s = time.monotonic() - self._begun
        return self._report

    def _left_s(self) -> float:
        return max(0.001, self._deadline - time.monotonic())

    def _list(self, connection: db.Connection, folder: Path) -> tuple[Listing, list[Claim]]:
        """List the backlog. Returns what that costs, and the items that come first."""
        record = CycleRecord(
            job=self._job.name,
            started_at=datetime.now(UTC),
            as_of=self._options.as_of,
            max_items=max(self._options.items, self._job.max_items),
            counts_keys=self._job.batches is not None,
        )
        queue = FileQueue(folder / "listed")
        listing = look(connection, self._job, record, queue, self._parameters, self._left_s())
        claims: list[Claim] = []
        while len(claims) < self._options.items and (claim := queue.claim(1)) is not None:
            claims.append(claim)
        queue.close()
        return listing, claims

    def _one_worker(self, claims: list[Claim], folder: Path) -> OneWorker | None:
        name = f"etl:bench {self._job.command}"
        warm_until = time.monotonic() + self._left_s() * _WARM_UP_SHARE
        until = time.monotonic() + self._left_s() / 2
        queue = _filled(folder / "one", claims)
        with (
            session(self._target, f"{name} w1") as connection,
            session(self._target, f"{name} bare") as other,
        ):
            for one in (connection, other):
                settle_session(one, self._job, self._left_s())
            rolled_back = RolledBack(connection, self._job, self._parameters)
            loop = BareLoop(other, self._job, self._parameters)
            first = claims[:_WARM_UP_ITEMS]
            warm_up(first, rolled_back, loop, warm_until)
            self._report.tally, figures = measure(queue, claims, rolled_back, loop, until)
        queue.close()
        self._report.is_over = self._report.tally.items < len(claims)
        return figures

    def _affordable(self, claims: list[Claim], one: OneWorker) -> list[Claim]:
        """As many items as there is time for, should more workers not be any faster."""
        item_s = one.engine.mean_s + one.statement.mean_s + 2 * one.round_trip_s
        runs = len(list(_counts(self._options.workers)))
        number = max(1, int(0.8 * self._left_s() / runs / item_s))
        self._report.is_over = self._report.is_over or number < len(claims)
        return claims[:number]

    def _more_workers(
        self, connection: db.Connection, claims: list[Claim], folder: Path
    ) -> list[Run]:
        size = min(self._options.workers, len(claims))
        runs: list[Run] = []
        orders = Orders(
            number=0,
            dsn=self._target.dsn,
            label=self._target.label,
            job_folder=str(self._job.folder),
            queue_folder="",
            parameters=self._parameters,
            deadline=self._deadline,
        )
        with Crew(connection, orders, size) as crew:
            first = claims[: size * _WARM_UP_ITEMS]
            _filled(folder / "warm-up", first).close()
            warm_until = time.monotonic() + self._left_s() * _WARM_UP_SHARE
            crew.drain(size, folder / "warm-up", warm_until, None)
            for workers in _counts(size):
                if time.monotonic() >= self._deadline:
                    self._report.is_over = True
                    break
                place = folder / f"with-{workers}"
                _filled(place, claims).close()
                alone = runs[0] if runs else None
                runs.append(crew.drain(workers, place, self._deadline, alone))
        return runs


def _counts(most: int) -> Iterator[int]:
    """1, 2, 4, … workers, and the most."""
    number = 1
    while number < most:
        yield number
        number *= 2
    yield most


def _filled(folder: Path, claims: list[Claim]) -> FileQueue:
    """A queue with these items, none claimed."""
    queue = FileQueue(folder)
    columns = list(claims[0].values)
    queue.build(columns, [[claim.values[name] for name in columns] for claim in claims])
    return queue


def _running_cycle(connection: db.Connection, job: Job) -> str | None:
    holder = db.run(connection, shipped("lock/cycle_lock_holder"), job=job.command).fetchone()
    if holder is None:
        return None
    pid, name, client, since = holder
    return f"server process {pid}, {name} from {client}, since {since}"


@contextmanager
def _scratch(state: Path) -> Generator[Path]:
    """A folder of this bench alone, gone afterwards; a bench that was killed may have left one.

    Raises:
        BenchRunningError: Another bench has it.
    """
    folder = private_folder(private_folder(state) / "bench")
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _take(folder, descriptor)
        try:
            yield folder
        finally:
            _remove(folder)
    finally:
        os.close(descriptor)


def _take(folder: Path, descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for left in folder.iterdir():
            shutil.rmtree(left)
    except BlockingIOError:
        raise BenchRunningError(
            "another bench is running on this host", "The two would measure each other."
        ) from None
    except OSError as error:
        raise StateFolderError(f"cannot empty {folder}: {error.strerror}", MAKE_ROOM) from error


def _remove(folder: Path) -> None:
    """Remove a folder; a second signal waits until that is done."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
