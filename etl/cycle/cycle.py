"""A cycle: take the lock, count the backlog, freeze it into a queue, drain it, close the record."""

import time
from collections.abc import Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from etl import db, deploy, ledger
from etl.backlog import Backlog
from etl.crew.stop_signals import StopSignals, cancelled_on_stop
from etl.crew.supervisor import Hooks, Supervisor
from etl.cycle import remarks
from etl.cycle.dry_run import look
from etl.cycle.endings import stop_reason
from etl.cycle.leftovers import queues_folder, recover
from etl.cycle.link import Link
from etl.cycle.sharing import OtherHosts, queue_for
from etl.cycle.steering import Steering, paused_by
from etl.errors import CycleRunningError, DatabaseUnreachableError, EtlError, FileError, UsageError
from etl.events import BacklogCounted, ClaimingPaused, CycleFinished, Emit, Event, ItemAttempted
from etl.job import Job
from etl.ledger import control, cost, rounds
from etl.ledger.cost import Budget
from etl.lock import host_lock
from etl.model import INCOMPLETE, CycleRecord, Orders
from etl.queue import Buildable, FileQueue, OpenClaims, TableQueue
from etl.settings import CycleOptions
from etl.worker.session import end_sessions, session_name

_PROGRESS_EVERY_S = 1.0


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
        self._is_cut_by_time = False
        self._claims = OpenClaims()
        self._paused_by: str | None = None
        self._queued = 0
        self.record = CycleRecord(
            job=job.name,
            started_at=datetime.now(UTC),
            as_of=options.as_of,
            max_items=options.limit.max_items,
            time_limit_s=limit,
            counts_keys=job.batches is not None,
            queue=options.queue,
        )
        self._steering = Steering(job, self.record, emit, may_wait=options.only_key is None)

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
                look(link.connection, self._job, self.record, self._options, self._emit)
            else:
                self._run(link)
        self._emit(CycleFinished(self.record))
        one = self._job.scope.only_key
        if one is not None and not self.record.found and not self.record.stop_signal:
            self._missing = f"there is no {self._job.unit} {one}"
        if self._missing is not None:
            raise UsageError(self._missing, f"Check the key of the {self._job.unit}.")
        return self.record

    def _run(self, link: Link) -> None:
        job, record = self._job, self.record
        folder = queues_folder(self._state, link.connection, job)
        with host_lock(folder, job.command, record.started_at):
            link.lock()
            recover(link.connection, folder, record, job, self._emit)
            cycle_id = ledger.open_cycle(link.connection, record)
            if self._options.begins_again:
                rounds.again(link.connection, job, record.started_at)
            self._job = rounds.begin(link.connection, job, record.started_at)
            wishes = control.wishes(link.connection, job.name, cycle_id)
            self._paused_by = "; ".join(paused_by(wishes)) or None
            # Up to here a signal ends the process: there is nothing to finish yet.
            with (
                StopSignals() as signals,
                closing(queue_for(self._job, record, folder, link, self._options)) as queue,
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

                def tidy_up(connection: db.Connection) -> None:
                    remarks.summary(connection, self._job, self.record)
                    ledger.forget_attempts(connection, self.record, job)

                link.attempt(tidy_up, is_enough=lambda: len(signals.received) > heard)
            link.unlock()

    def _close(self, link: Link, queue: FileQueue | TableQueue, signals: StopSignals) -> None:

        def look(connection: db.Connection) -> None:
            if self.record.stop_reason == INCOMPLETE:  # by now all outcomes are known
                self._say_why(self._queued)
            if self._options.only_key is None:
                backlog = Backlog(connection, self._job, self.record, self._parameters())
                now = datetime.now(UTC)
                backlog.count_left(now)
                rounds.end(connection, self._job, self.record, now)

        self._hosts.end_sessions()
        try:
            link.insist(
                lambda to: ledger.close_cycle(
                    to, queue, self.record, self._job, self._claims, look
                ),
                is_enough=lambda: len(signals.received) > 1,
            )
        except DatabaseUnreachableError:
            # Somebody did not want to wait for it: that is how the cycle ended.
            self.record.stop_signal = next(iter(signals.received), None)
            raise

    def _supervisor(
        self, link: Link, queue: FileQueue | TableQueue, signals: StopSignals
    ) -> Supervisor:
        hosts = OtherHosts(link, queue, self._job, lambda: len(signals.received) > 1)
        self._hosts = hosts
        hooks = Hooks(
            orders=lambda number: self._orders(number, queue),
            on_tick=lambda: self._record_progress(link, signals, supervisor),
            on_death=lambda number: self._end_sessions(link, number),
            has_crews=hosts.are_at_work,
        )
        supervisor = Supervisor(queue, self.record, signals, hooks, self._heed)
        self._claims = supervisor.claims
        return supervisor

    def _end_sessions(self, link: Link, worker: int) -> None:
        """End what the server still runs for a dead worker."""
        link.attempt(lambda to: end_sessions(to, session_name(self._job, worker)))

    def _build(
        self,
        connection: db.Connection,
        queue: FileQueue | TableQueue,
        signals: StopSignals,
        supervisor: Supervisor,
    ) -> int:
        """Freeze the backlog into the queue. Returns how many items it holds."""
        backlog = Backlog(connection, self._job, self.record, self._parameters())
        is_catch_up = False
        try:
            with cancelled_on_stop(connection, signals, self._deadline), backlog.snapshot("0"):
                if self._options.only_key is not None:
                    queued = backlog.freeze_one(queue, self._options.only_key)
                else:
                    is_catch_up = backlog.count(self._options.limit)
                    if self._paused_by is not None:
                        return self._tell_pause(self._paused_by)
                    likely = min(self.record.found, self.record.max_items)
                    supervisor.prepare(min(self._options.workers, likely))
                    queued = self._freeze(connection, backlog, queue)
        except FileError:
            if not signals.received and not self._is_over():
                raise
            return 0
        self._tell_backlog(is_catch_up, backlog.frozen)
        return queued

    def _tell_pause(self, reason: str) -> int:
        """A cycle that begins while its job is paused ends at once: cron must not pile up."""
        self._emit(ClaimingPaused(reason))
        return 0

    def _freeze(self, connection: db.Connection, backlog: Backlog, queue: Buildable) -> int:
        record, workers = self.record, min(self._options.workers, max(1, self.record.found))
        model = cost.learn(connection, self._job.name) if record.found else None
        budget = Budget(model, workers, record.time_limit_s)
        queued = backlog.freeze(queue, self._options.reserved_percent, budget)
        record.predicted = budget.prediction()
        self._is_cut_by_time = budget.is_exceeded
        return queued

    def _tell_backlog(self, is_catch_up: bool, levels: Mapping[int, int]) -> None:
        queued, is_cut = sum(levels.values()), self._is_cut_by_time
        self.record.workers = min(self._options.workers, queued)
        self._emit(BacklogCounted(self.record, queued, is_catch_up, is_cut, dict(levels)))

    def _parameters(self) -> dict[str, str | int | None]:
        return self._job.parameters(self.record.as_of, self.record.cycle_id)

    def _is_over(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline

    def _drain(self, link: Link, supervisor: Supervisor, signals: StopSignals, queued: int) -> None:
        record = self.record
        if queued and not signals.received and not self._is_over():
            self._record_progress(link, signals, supervisor)
            most = self._options.most_workers
            supervisor.drain(record.workers, most and min(most, queued))
            self._steering.end()
        record.stop_signal = next(iter(signals.received), None)
        record.duration_s = time.monotonic() - self._begun
        self._queued = queued
        self._say_why(queued)

    def _say_why(self, queued: int) -> None:
        self.record.stop_reason = stop_reason(
            self.record,
            queued,
            is_cancelled=self._steering.is_cancelled,
            was_paused=self._paused_by is not None,
            is_time_over=self._is_over(),
            is_cut_by_time=self._is_cut_by_time,
        )

    def _orders(self, number: int, queue: FileQueue | TableQueue) -> Orders:
        return Orders(
            number=number,
            dsn=self._target.dsn,
            label=self._target.label,
            job_folder=str(self._job.folder),
            queue_folder=str(queue.folder),
            names=queue.names,
            parameters=self._parameters(),
            deadline=self._deadline,
            batch_size=self._options.batch_size,
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

    def _record_progress(self, link: Link, signals: StopSignals, supervisor: Supervisor) -> None:
        now = time.monotonic()
        self.record.duration_s = now - self._begun
        self._steering.tick()
        if signals.received or self._steering.is_cancelled or self._is_over():
            self._hosts.dismiss()
        if now - self._recorded < _PROGRESS_EVERY_S:
            return
        self._recorded = now
        heard = len(signals.received)

        def look(connection: db.Connection) -> None:
            ledger.update_progress(connection, self.record)
            self._steering.look(connection, supervisor)

        link.attempt(look, is_enough=lambda: len(signals.received) > heard)
