"""The words of Prometheus: names, units, labels, HELP.

What is not known is absent, never 0. A counter sums up finished cycles only, so that it never
falls. The label is ``etl_job`` and not ``job``: that one belongs to Prometheus, which renames
any other when it scrapes.
"""

from prometheus_client import Metric, generate_latest
from prometheus_client.registry import Collector

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


class Samples(Collector):
    """What is told; a family without samples is left out."""

    def __init__(self) -> None:
        self._samples: list[tuple[str, str, dict[str, str], float]] = []

    def add(self, name: str, value: float | None, suffix: str = "", **labels: str) -> None:
        """Add a sample; None adds nothing."""
        if value is not None:
            self._samples.append((name, suffix, labels, float(value)))

    def take_in(self, others: "Samples") -> None:
        """Add the samples of others."""
        self._samples += others._samples

    def collect(self) -> list[Metric]:
        """The families that have samples, in their order."""
        found: dict[str, Metric] = {}
        for name, suffix, labels, value in self._samples:
            kind, text = FAMILIES[name]
            metric = found.setdefault(name, Metric(name, text, kind))
            metric.add_sample(name + suffix, labels, value)
        return [found[name] for name in FAMILIES if name in found]

    def exposition(self) -> bytes:
        """All of them in Prometheus's text format."""
        return generate_latest(self)
