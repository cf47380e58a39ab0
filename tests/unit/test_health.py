"""From when on a signal is bad."""

from dataclasses import replace

import pytest

from etl.cycle.health import Vitals, complaints
from etl.job.shape import HealthLimits

WELL = Vitals(None, 0, 0, 1_000_000, 100.0, 0.5)
LIMITS = HealthLimits(60.0, 20, True, 10.0, 2.0)


def test_a_healthy_server_is_no_reason() -> None:
    assert complaints(LIMITS, WELL, WELL) == []


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (replace(WELL, replication_lag_s=61.0), "a replica is 61 s behind (limit 60 s)"),
        (replace(WELL, waiting_sessions=20), "20 sessions wait for locks (limit 20)"),
        (replace(WELL, wraparound_vacuums=1), "a vacuum runs to prevent wraparound"),
        (replace(WELL, wal_bytes=23_000_000, at=102.0), "11 MB of WAL a second (limit 10)"),
        (replace(WELL, load_per_processor=2.1), "the load of this host is 2.1 for each processor"),
    ],
    ids=["lag", "locks", "wraparound", "wal", "load"],
)
def test_a_bad_signal_is_told_with_its_limit(seen: Vitals, told: str) -> None:
    (complaint,) = complaints(LIMITS, seen, WELL)
    assert complaint.startswith(told)
    assert complaints(HealthLimits(0.0, 0, False, 0.0, 0.0), seen, WELL) == []


def test_at_the_limit_is_not_over_it_and_a_rate_needs_two_looks() -> None:
    at_limit = replace(WELL, replication_lag_s=60.0, waiting_sessions=19, load_per_processor=2.0)
    assert complaints(LIMITS, at_limit, None) == []
    assert complaints(LIMITS, replace(WELL, wal_bytes=10**12), None) == []


def test_several_bad_signals_are_all_told() -> None:
    seen = replace(WELL, replication_lag_s=99.0, waiting_sessions=99)
    assert len(complaints(LIMITS, seen, WELL)) == 2
