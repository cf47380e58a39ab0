"""Reads the numbers of one job; a part that cannot be read is left out and told."""

import math
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

from etl import db, deploy
from etl.backlog import Backlog
from etl.deploy import FileState
from etl.errors import FileError
from etl.job import Job
from etl.ledger import control, cycles
from etl.ledger.cycles import CycleRow
from etl.metrics.families import Samples
from etl.model import CycleRecord, LevelCount, Outcome
from etl.sqlfile import shipped

_ERROR = "error"
_STOP_REASONS = (
    "drained", "limit", "time limit", "incomplete", "stopped", "cancelled", "paused", "crashed",
    _ERROR,
)  # fmt: skip
"""How a cycle can end; error stands for the message of any error that stopped it."""

_Add = Callable[..., None]
_OUTCOMES = tuple(outcome.value for outcome in Outcome)
_SHORTEST_S = 0.001  # PostgreSQL takes 0 for no limit


class JobReader:
    """Reads what there is of one job, part by part.

    Args:
        connection: Where.
        job: The job.
        now: The moment of asking, by the server's clock.
        until: When the time is over, of ``time.monotonic()``.

    Attributes:
        samples: What was read so far.
        problems: Why a part could not be read.
        is_here: Whether the database has any file of the job; one that needs none is here.
    """

    def __init__(self, connection: db.Connection, job: Job, now: datetime, until: float) -> None:
        self._connection = connection
        self.job = job
        self._now = now
        self._until = until
        self.samples = Samples()
        self.problems: list[str] = []
        self.is_here = True

    @contextmanager
    def _part(self, name: str, share: int = 1) -> Generator[_Add]:
        """Read a part as far as the time allows; a failure leaves it out, and the others alone.

        Args:
            name: Which.
            share: How many parts the time that is left is for.

        Yields:
            Adds a sample of the job.
        """
        left_s = max(_SHORTEST_S, (self._until - time.monotonic()) / share)
        found = Samples()
        is_read = False
        try:
            with self._connection.transaction():
                self._run("session/set_statement_timeout", statement_timeout=f"{left_s * 1000:.0f}")
                yield partial(found.add, etl_job=self.job.name)
            is_read = True
            self.samples.take_in(found)
        except FileError as error:
            self.problems.append(f"{self.job.name}: no {name}: {error.message}")
        self.samples.add("etl_scrape_success", is_read, etl_job=self.job.name, part=name)

    def _run(self, statement: str, **values: object) -> list[dict[str, Any]]:
        cursor = db.run(self._connection, shipped(statement), **values)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def schema(self) -> None:
        """Whether the database has the job's files, those of this version."""
        with self._part("schema") as add:
            files = deploy.compare(self._connection, [self.job])
            add("etl_schema_current", all(file.state is FileState.APPLIED for file in files))
            own = [file.state for file in files if file.scope == self.job.name]
            self.is_here = not own or any(state is not FileState.PENDING for state in own)

    def ledger(self) -> None:
        """Its cycles, and what they held."""
        with self._part("ledger") as add:
            running, cut_off = cycles.open_one(self._connection, self.job)
            add("etl_cycle_running", running is not None)
            add("etl_cycle_cut_off", cut_off is not None)
            if running is not None:
                _add_running(add, running)
            add("etl_paused", control.wishes(self._connection, self.job.name, None).is_paused)
            self._last(add)
            self._held(add)
            self._totals(add)

    def _held(self, add: _Add) -> None:
        (held,) = self._run("held/count_held", job=self.job.name, now=self._now)
        add("etl_held_items", held["held"])
        add("etl_quarantined_items", held["quarantined"])

    def _last(self, add: _Add) -> None:
        (growing,) = self._run("metrics/growing_cycles", job=self.job.name)
        add("etl_backlog_growing_cycles", growing["cycles"])
        for last in self._run("metrics/last_cycle", job=self.job.name):
            add("etl_last_cycle_finished_timestamp_seconds", last["finished_at"].timestamp())
            if last["succeeded_at"] is not None:
                add("etl_last_success_timestamp_seconds", last["succeeded_at"].timestamp())
            add("etl_last_cycle_duration_seconds", last["duration_s"])
            add("etl_last_cycle_predicted_duration_seconds", last["predicted_s"])
            for outcome in _OUTCOMES:
                add("etl_last_cycle_items", last[outcome], outcome=outcome)
            left: Counter[str] = Counter()
            for level in last["levels"]:
                if level.get("left") is not None:
                    left[level["name"]] += level["left"]
            for name, items in left.items():
                add("etl_last_cycle_left_items", items, level=name)

    def _totals(self, add: _Add) -> None:
        """Sums over all finished cycles; what can be counted begins with 0, so that its first
        increase is seen."""
        by_level = {str(row["level"]): row for row in self._run("metrics/items", job=self.job.name)}
        none = dict.fromkeys(_OUTCOMES, 0)
        for level, counts in (
            dict.fromkeys(self.job.level_names.values(), none) | by_level
        ).items():
            for outcome in _OUTCOMES:
                add("etl_items", counts[outcome], "_total", level=level, outcome=outcome)
        ended = self._run("metrics/cycles", job=self.job.name)
        by_reason: Counter[str] = Counter(dict.fromkeys(_STOP_REASONS, 0))
        for row in ended:
            reason = row["stop_reason"]
            by_reason[reason if reason in _STOP_REASONS else _ERROR] += row["cycles"]
        for reason, items in by_reason.items():
            add("etl_cycles", items, "_total", stop_reason=reason)
        add("etl_cycle_duration_seconds", sum(row["duration_s"] for row in ended), "_total")
        add("etl_cycle_wait_seconds", sum(row["waited_s"] for row in ended), "_total")
        (durations,) = self._run("metrics/durations", job=self.job.name)
        name = "etl_item_duration_seconds"
        for bound_s, items in zip(durations["bounds_s"], durations["counts"], strict=True):
            add(name, items, "_bucket", le="+Inf" if math.isinf(bound_s) else f"{bound_s:g}")
        add(name, durations["counts"][-1], "_count")
        add(name, durations["sum_s"], "_sum")

    def backlog(self, share: int) -> None:
        """The dirty items by level, each level that has a name among them.

        Args:
            share: How many backlogs the time that is left is for.
        """
        with self._part("backlog", share) as add:
            record = CycleRecord(
                self.job.name, self._now, self._now.astimezone(UTC).date(), max_items=1
            )
            Backlog(self._connection, self.job, record, ()).count_left(self._now)
            for level, name in self.job.level_names.items():
                record.levels.setdefault(level, LevelCount(level, name, left=0))
            by_name: dict[str, list[LevelCount]] = {}
            for level in sorted(record.levels):
                by_name.setdefault(record.levels[level].name, []).append(record.levels[level])
            for name, levels in by_name.items():
                _add_level(partial(add, level=name), levels, self._now)


def _add_running(add: _Add, cycle: CycleRow) -> None:
    add("etl_running_cycle_started_timestamp_seconds", cycle.started_at.timestamp())
    add("etl_running_cycle_predicted_duration_seconds", cycle.predicted_s)
    add("etl_running_cycle_waiting", cycle.waits_for is not None)
    if not cycle.levels:  # its backlog is not counted yet
        return
    for outcome in _OUTCOMES:
        add("etl_running_cycle_items", getattr(cycle, outcome), outcome=outcome)
    add("etl_running_cycle_queued_items", cycle.queued)
    add("etl_running_cycle_remaining_items", max(0, cycle.queued - cycle.claimed))
    add("etl_running_cycle_workers", cycle.workers)


def _add_level(add: _Add, levels: list[LevelCount], now: datetime) -> None:
    """What is dirty at the levels of one name."""
    items = sum(level.left or 0 for level in levels)
    since = [level.oldest_left_at for level in levels if level.oldest_left_at is not None]
    add("etl_backlog_items", items)
    if since:
        age_s = max(0.0, (now - min(since)).total_seconds())
        add("etl_oldest_dirty_timestamp_seconds", min(since).timestamp())
        add("etl_oldest_dirty_age_seconds", age_s)
    elif not items:
        add("etl_oldest_dirty_age_seconds", 0)
