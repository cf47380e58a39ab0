"""A reading in the words of Prometheus: names, units, labels, HELP.

What is not known is absent, never 0. A counter sums up finished cycles only, so that it never
falls. The label is ``etl_job`` and not ``job``: that one belongs to Prometheus, which renames
any other when it scrapes.
"""

import math
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from functools import partial

from prometheus_client import Metric, generate_latest
from prometheus_client.registry import Collector

from etl import __version__
from etl.metrics.reading import STOP_REASONS, JobReading, Reading
from etl.model import LevelCount, Outcome

_Add = Callable[..., None]
_OUTCOMES = tuple(outcome.value for outcome in Outcome)

FAMILIES: dict[str, tuple[str, str]] = {
    "etl_up": ("gauge", "1 where the database answered; 0: nothing else is known."),
    "etl_build": ("info", "The version of etl that tells these numbers."),
    "etl_scrape_duration_seconds": ("gauge", "How long it took to read these numbers."),
    "etl_scrape_success": (
        "gauge", "1 where this part (schema, ledger, backlog) could be read in time."
    ),
    "etl_schema_current": (
        "gauge", "1 where the database has the SQL files of this version; else run etl init."
    ),
    "etl_items": ("counter", "Attempts in all finished cycles."),
    "etl_cycles": ("counter", "Finished cycles, by how they ended."),
    "etl_cycle_duration_seconds": ("counter", "How long all finished cycles took."),
    "etl_cycle_wait_seconds": (
        "counter", "How long finished cycles waited: paused, or for a health signal."
    ),
    "etl_item_duration_seconds": (
        "histogram", "From claim to commit, of each item done in a finished cycle."
    ),
    "etl_last_cycle_finished_timestamp_seconds": (
        "gauge", "When the last cycle finished, however it ended."
    ),
    "etl_last_success_timestamp_seconds": (
        "gauge", "When the last cycle finished that ended by itself and in which nothing failed."
    ),
    "etl_last_cycle_duration_seconds": ("gauge", "How long the last finished cycle took."),
    "etl_last_cycle_predicted_duration_seconds": (
        "gauge", "How long the last finished cycle was expected to take."
    ),
    "etl_last_cycle_items": ("gauge", "Attempts in the last finished cycle."),
    "etl_last_cycle_left_items": ("gauge", "The backlog when the last finished cycle ended."),
    "etl_backlog_growing_cycles": (
        "gauge", "Cycles in a row, to the latest, that each found more than the one before."
    ),
    "etl_cycle_running": ("gauge", "1 where a cycle of the job runs now."),
    "etl_cycle_cut_off": (
        "gauge", "1 where a cycle was cut off and the next one has yet to close its record."
    ),
    "etl_running_cycle_started_timestamp_seconds": ("gauge", "When the running cycle began."),
    "etl_running_cycle_queued_items": ("gauge", "How many items the running cycle takes at most."),
    "etl_running_cycle_items": ("gauge", "Attempts in the running cycle so far; may fall."),
    "etl_running_cycle_remaining_items": (
        "gauge", "Items that the running cycle has not attempted yet, at most."
    ),
    "etl_running_cycle_workers": ("gauge", "Worker processes of the running cycle."),
    "etl_running_cycle_predicted_duration_seconds": (
        "gauge", "How long the running cycle is expected to take, from its beginning."
    ),
    "etl_running_cycle_waiting": (
        "gauge", "1 where the running cycle claims nothing just now, and waits."
    ),
    "etl_paused": ("gauge", "1 where somebody has paused the job."),
    "etl_held_items": ("gauge", "Items that failed and wait for their back-off."),
    "etl_quarantined_items": ("gauge", "Items that failed for good and wait for a person."),
    "etl_backlog_items": ("gauge", "Dirty items now, held ones left out."),
    "etl_oldest_dirty_timestamp_seconds": (
        "gauge", "Since when the longest dirty item is dirty; absent where none is."
    ),
    "etl_oldest_dirty_age_seconds": (
        "gauge", "How long the longest dirty item was dirty when this was read; 0 where none is."
    ),
    "etl_freshness_goal_seconds": (
        "gauge", "How long an item of the level may be dirty, as job.toml says."
    ),
}  # fmt: skip
"""Kind and HELP of each family, in the order in which they are told.

The samples of a counter end in _total besides, that of an info in _info.
"""


class _Families(Collector):
    """The families while samples are added; one without samples is left out."""

    def __init__(self) -> None:
        self._found: dict[str, Metric] = {}

    def add(self, name: str, value: float | None, suffix: str = "", **labels: str) -> None:
        """Add a sample; None adds nothing."""
        if value is None:
            return
        kind, text = FAMILIES[name]
        metric = self._found.setdefault(name, Metric(name, text, kind))
        metric.add_sample(name + suffix, labels, float(value))

    def collect(self) -> list[Metric]:
        """Those with samples, in their order."""
        return [self._found[name] for name in FAMILIES if name in self._found]


def families(reading: Reading) -> Collector:
    """The families of metrics that a reading makes."""
    found = _Families()
    found.add("etl_up", 0 if reading.error else 1)
    found.add("etl_build", 1, "_info", version=__version__)
    if reading.error is None:
        found.add("etl_scrape_duration_seconds", reading.duration_s)
    for job in reading.jobs:
        add = partial(found.add, etl_job=job.job.name)
        _add_settings(add, job)
        _add_totals(add, job)
        _add_last(add, job)
        _add_running(add, job)
        _add_backlog(add, job, reading.asked_at)
    return found


def exposition(reading: Reading) -> bytes:
    """A reading in Prometheus's text format."""
    return generate_latest(families(reading))


def _add_settings(add: _Add, job: JobReading) -> None:
    for part, is_read in job.parts.items():
        add("etl_scrape_success", is_read, part=part)
    add("etl_schema_current", job.is_current)
    for level, goal_s in job.job.freshness_goals.items():
        add("etl_freshness_goal_seconds", goal_s, level=job.job.level_name(level))


def _add_totals(add: _Add, job: JobReading) -> None:
    """Sums over all finished cycles; what can be counted begins with 0, so that its first
    increase is seen."""
    if job.items is None or job.cycles is None or job.durations is None:
        return
    none = dict.fromkeys(_OUTCOMES, 0)
    by_level = dict.fromkeys(job.job.level_names.values(), none) | job.items
    for level, counts in by_level.items():
        for outcome in _OUTCOMES:
            add("etl_items", counts[outcome], "_total", level=level, outcome=outcome)
    for reason in STOP_REASONS:
        add("etl_cycles", job.cycles[reason], "_total", stop_reason=reason)
    add("etl_cycle_duration_seconds", job.cycle_s, "_total")
    add("etl_cycle_wait_seconds", job.waited_s, "_total")
    histogram = "etl_item_duration_seconds"
    for bound_s, items in job.durations:
        bound = "+Inf" if math.isinf(bound_s) else f"{bound_s:g}"
        add(histogram, items, "_bucket", le=bound)
    add(histogram, job.durations[-1][1], "_count")
    add(histogram, job.durations_s, "_sum")


def _add_last(add: _Add, job: JobReading) -> None:
    add("etl_backlog_growing_cycles", job.growing_cycles)
    add("etl_paused", job.is_paused)
    add("etl_held_items", job.held)
    add("etl_quarantined_items", job.quarantined)
    last = job.last
    if last is None:
        return
    add("etl_last_cycle_finished_timestamp_seconds", _timestamp(last["finished_at"]))
    add("etl_last_success_timestamp_seconds", _timestamp(last["succeeded_at"]))
    add("etl_last_cycle_duration_seconds", last["duration_s"])
    add("etl_last_cycle_predicted_duration_seconds", last["predicted_s"])
    for outcome in _OUTCOMES:
        add("etl_last_cycle_items", last[outcome], outcome=outcome)
    left: Counter[str] = Counter()
    for level in last["levels"]:
        if level.get("left") is not None:
            left[level["name"]] += level["left"]
    for level_name, items in left.items():
        add("etl_last_cycle_left_items", items, level=level_name)


def _add_running(add: _Add, job: JobReading) -> None:
    if job.is_cut_off is None:
        return
    running = job.running
    add("etl_cycle_running", running is not None)
    add("etl_cycle_cut_off", job.is_cut_off)
    if running is None:
        return
    add("etl_running_cycle_started_timestamp_seconds", running.started_at.timestamp())
    add("etl_running_cycle_predicted_duration_seconds", running.predicted_s)
    add("etl_running_cycle_waiting", running.waits_for is not None)
    if not running.levels:  # its backlog is not counted yet
        return
    for outcome in _OUTCOMES:
        add("etl_running_cycle_items", getattr(running, outcome), outcome=outcome)
    add("etl_running_cycle_queued_items", running.queued)
    add("etl_running_cycle_remaining_items", max(0, running.queued - running.claimed))
    add("etl_running_cycle_workers", running.workers)


def _add_backlog(add: _Add, job: JobReading, now: datetime | None) -> None:
    if job.backlog is None or now is None:
        return
    by_name: dict[str, list[LevelCount]] = {}
    for level in job.backlog:
        by_name.setdefault(level.name, []).append(level)
    for level_name, levels in by_name.items():
        items = sum(level.left or 0 for level in levels)
        since = [level.oldest_left_at for level in levels if level.oldest_left_at is not None]
        add("etl_backlog_items", items, level=level_name)
        if since:
            age_s = max(0.0, (now - min(since)).total_seconds())
            add("etl_oldest_dirty_timestamp_seconds", min(since).timestamp(), level=level_name)
            add("etl_oldest_dirty_age_seconds", age_s, level=level_name)
        elif not items:
            add("etl_oldest_dirty_age_seconds", 0, level=level_name)


def _timestamp(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()
