"""A cycle: take the lock, count the backlog, freeze it into a queue, drain it, close the record."""

import re
import shutil
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from etl import db, deploy, ledger
from etl.backlog import Backlog
from etl.errors import CycleRunningError, DatabaseUnreachableError, EtlError, FileError, UsageError
from etl.events import (
    BacklogCounted,
    CycleFinished,
    CycleRecovered,
    Emit,
    Event,
    ItemAttempted,
)
from etl.job import Job
from etl.link import Link
from etl.lock import host_lock
from etl.model import CycleRecord, Orders
from etl.queue import FileQueue, OpenClaims
from etl.session import session_name
from etl.settings import ItemLimit, private_folder
from etl.sqlfile import shipped
from etl.stop_signals import StopSignals, cancelled_on_stop
from etl.supervisor import Hooks, Supervisor
from etl.tuner import Tuner

_PROGRESS_EVERY_S = 1.0
_QUEUE_FOLDER = re.compile(r"cycle-([1-9][0-9]{0,17})\Z")


@dataclass(frozen=True, slots=True)
class CycleOptions:
    """What a user may decide about a cycle.

    Attributes:
        as_of: The day that counts as today, UTC.
        limit: How many items at most.
        workers: How many worker processes at most; to begin with, where more may come.
        most_workers: Find out by trying how many to have, up to this; None: do not.
        reserved_percent: Share of the items for those that have been dirty longest.
        time_limit_s: Claim nothing after that many seconds; None: no limit.
        only_key: Just this item, dirty or not; None: what the prioritization lists.
        is_dry_run: Count and list, write nothing at all.
    """

    as_of: date
    limit: ItemLimit
    workers: int
    reserved_percent: int
    most_workers: int | None = None
    time_limit_s: float | None = None
    only_key: str | None = None
    is_dry_run: bool = False


class Cycle:
    """One cycle of a job on a database.

    Args:
        job: The job.
        target: The database.
        state: The state folder.
        options: What the user decided.
        emit: Told of everything that happens.
    """

    def __init__(
        self, job: Job, target: db.Target, state: Path, options: CycleOptions, emit: Emit
    ) -> None:
        self._job = job
        self._target = target
        self._state = state
        self._options = options
        self._emit = emit
        self._begun = time.monotonic()
        limit = options.time_limit_s
        self._deadline = None if limit is None else self._begun + limit
        self._recorded = 0.0
        self._missing: str | None = None
        self._claims = OpenClaims()
        self.record = CycleRecord(
            job=job.name,
            started_at=datetime.now(UTC),
            as_of=options.as_of,
            max_items=options.limit.max_items,
        )

    def run(self) -> CycleRecord:
        """Run it.

        Returns:
            Its record, closed.

        Raises:
            EtlError: It could not begin, or had to stop; what was done stays done.
        """
        self._job.check()
        with closing(Link(self._target, self._job.command, self._emit)) as link:
            deploy.require_current(link.connection, self._job)
            if self._options.is_dry_run:
                self._look(link.connection)
            else:
                self._run(link)
        self._emit(CycleFinished(self.record))
        if self._missing is not None:
            raise UsageError(self._missing, f"Check the key of the {self._job.unit}.")
        return self.record

    def _look(self, connection: db.Connection) -> None:
        self.record.stop_reason = "dry run"
        self.record.is_dry_run = True
        backlog = Backlog(connection, self._job, self.record, self._parameters())
        with backlog.snapshot():
            is_catch_up = backlog.count(self._options.limit)
            ledger.count_held(connection, self.record, self.record.started_at)
        self._tell_backlog(min(self.record.found, self.record.max_items), is_catch_up)

    def _run(self, link: Link) -> None:
        job, record = self._job, self.record
        folder = private_folder(self._state)
        for part in ("cycles", _identity(link.connection), job.name):
            folder = private_folder(folder / part)
        with host_lock(folder, job.command, record.started_at):
            link.lock()
            self._end_sessions(link, None)
            self._recover(link.connection, folder)
            cycle_id = ledger.open_cycle(link.connection, record)
            # Up to here a signal ends the process: there is nothing to finish yet.
            with (
                StopSignals() as signals,
                closing(FileQueue(folder / f"cycle-{cycle_id}")) as queue,
                closing(self._supervisor(link, queue, signals)) as supervisor,
            ):
                try:
                    queued = self._build(link.connection, queue, signals, supervisor)
                    self._drain(link, supervisor, signals, queued)
                except EtlError as error:
                    record.stop_reason = error.message
                    # Where it cannot be closed, the next cycle does it from the journal.
                    with suppress(DatabaseUnreachableError, CycleRunningError):
                        self._close(link, queue, signals)
                    raise
                self._close(link, queue, signals)
                heard = len(signals.received)
                link.attempt(
                    lambda to: ledger.forget_attempts(to, self.record, job),
                    is_enough=lambda: len(signals.received) > heard,
                )
            link.unlock()

    def _close(self, link: Link, queue: FileQueue, signals: StopSignals) -> None:
        try:
            link.insist(
                lambda to: ledger.close_cycle(
                    to, queue, self.record, self._job, self._claims.taken_back
                ),
                is_enough=lambda: len(signals.received) > 1,
            )
        except DatabaseUnreachableError:
            # Somebody did not want to wait for it: that is how the cycle ended.
            self.record.stop_signal = next(iter(signals.received), None)
            raise

    def _recover(self, connection: db.Connection, folder: Path) -> None:
        """Close the records of cycles that were cut off, and remove the queues of old ones."""
        for path in folder.glob("cycle-*/"):
            named = _QUEUE_FOLDER.match(path.name)
            if named is None:
                continue
            queue, cycle_id = FileQueue(path), int(named[1])
            with closing(queue):
                cut_off = ledger.recover(connection, queue, cycle_id, self._job)
            if cut_off is not None:
                self._emit(CycleRecovered(cycle_id, cut_off.claimed, cut_off.orphaned))
            shutil.rmtree(path, ignore_errors=True)
        ledger.close_abandoned(connection, self.record)

    def _supervisor(self, link: Link, queue: FileQueue, signals: StopSignals) -> Supervisor:
        hooks = Hooks(
            orders=lambda number: self._orders(number, queue),
            on_tick=lambda: self._record_progress(link, signals),
            on_death=lambda number: self._end_sessions(link, number),
        )
        supervisor = Supervisor(queue, self.record, signals, hooks, self._heed)
        self._claims = supervisor.claims
        return supervisor

    def _end_sessions(self, link: Link, worker: int | None) -> None:
        """End what the server still runs for a dead worker; None: for those of dead cycles."""
        statement, name = shipped("engine/end_worker_sessions"), session_name(self._job, worker)
        link.attempt(lambda to: db.run(to, statement, name=name))

    def _build(
        self,
        connection: db.Connection,
        queue: FileQueue,
        signals: StopSignals,
        supervisor: Supervisor,
    ) -> int:
        """Freeze the backlog into the queue. Returns how many items it holds."""
        backlog = Backlog(connection, self._job, self.record, self._parameters())
        is_catch_up = False
        try:
            with (
                cancelled_on_stop(connection, signals, self._deadline),
                backlog.snapshot(),
            ):
                if self._options.only_key is not None:
                    queued = backlog.freeze_one(queue, self._options.only_key)
                else:
                    is_catch_up = backlog.count(self._options.limit)
                    likely = min(self.record.found, self.record.max_items)
                    supervisor.prepare(min(self._options.workers, likely))
                    queued = backlog.freeze(queue, self._options.reserved_percent)
        except FileError:
            if not signals.received and not self._is_over():
                raise
            return 0
        self._tell_backlog(queued, is_catch_up)
        return queued

    def _tell_backlog(self, queued: int, is_catch_up: bool) -> None:
        self.record.workers = min(self._options.workers, queued)
        self._emit(BacklogCounted(self.record, queued, is_catch_up))

    def _parameters(self) -> dict[str, str]:
        return {"as_of": self.record.as_of.isoformat()}

    def _is_over(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline

    def _drain(self, link: Link, supervisor: Supervisor, signals: StopSignals, queued: int) -> None:
        record = self.record
        if queued and not signals.received and not self._is_over():
            self._record_progress(link, signals)
            most = self._options.most_workers
            tuner = None if most is None else Tuner(record.workers, min(most, queued))
            supervisor.drain(record.workers, tuner)
        record.stop_signal = next(iter(signals.received), None)
        record.duration_s = time.monotonic() - self._begun
        if record.stop_signal is not None:
            record.stop_reason = "stopped"
        elif self._is_over() and (record.claimed < queued or not queued):
            record.stop_reason = "time limit"
        elif record.claimed < queued:
            record.stop_reason = "incomplete"  # somebody ended the workers
        else:
            record.stop_reason = "limit" if record.remaining else "drained"

    def _orders(self, number: int, queue: FileQueue) -> Orders:
        return Orders(
            number=number,
            dsn=self._target.dsn,
            label=self._target.label,
            job_folder=str(self._job.folder),
            queue_folder=str(queue.path.parent),
            parameters=self._parameters(),
            deadline=self._deadline,
        )

    def _heed(self, event: Event) -> None:
        self._emit(event)
        if self._options.only_key is None or not isinstance(event, ItemAttempted):
            return
        # no_data_found is the statement's way to say that there is no such item; the others
        # come where the key is not even of the right kind, and then name it.
        state, message = event.result.sqlstate, event.result.message
        if state == "P0002" or (state in ("22P02", "22003") and self._options.only_key in message):
            self._missing = message

    def _record_progress(self, link: Link, signals: StopSignals) -> None:
        now = time.monotonic()
        self.record.duration_s = now - self._begun
        if now - self._recorded < _PROGRESS_EVERY_S:
            return
        self._recorded = now
        heard = len(signals.received)
        link.attempt(
            lambda to: ledger.update_progress(to, self.record),
            is_enough=lambda: len(signals.received) > heard,
        )


def _identity(connection: db.Connection) -> str:
    system, database = db.one(connection, shipped("engine/database_identity"))
    return f"{system}-{database}"
