"""Whether the server and this host can bear more work: the signals, and the job's limits.

A job's ``[health]`` table says from when on a signal is bad. While one is, nothing is claimed.
"""

import os
from dataclasses import dataclass

from etl import db
from etl.job.shape import HealthLimits
from etl.settings import processors
from etl.sqlfile import shipped

_WAITING_S = 5.0
_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Vitals:
    """One look: the columns of sql/engine/session/health.sql, and this host's load."""

    replication_lag_s: float | None
    waiting_sessions: int
    wraparound_vacuums: int
    wal_bytes: int
    at: float
    load_per_processor: float


def look(connection: db.Connection, waiting_s: float = _WAITING_S) -> Vitals:
    """Look at the server and this host.

    Args:
        connection: In autocommit.
        waiting_s: A session counts that has waited for a lock for so long, seconds.
    """
    lag_s, waiting, vacuums, wal_bytes, at = db.one(
        connection, shipped("session/health"), waiting_s=waiting_s
    )
    load = os.getloadavg()[0] / processors()
    return Vitals(lag_s, waiting, vacuums, wal_bytes, at, load)


def complaints(limits: HealthLimits, now: Vitals, before: Vitals | None) -> list[str]:
    """Why nothing should be claimed just now; empty: there is no reason.

    Args:
        limits: Of the job; 0 is no limit.
        now: What was seen.
        before: What was seen the last time; the rates are those in between.
    """
    told: list[str] = []
    lag_s = now.replication_lag_s or 0.0
    if 0 < limits.replication_lag_s < lag_s:
        told.append(f"a replica is {lag_s:.0f} s behind (limit {limits.replication_lag_s:.0f} s)")
    if 0 < limits.waiting_sessions <= now.waiting_sessions:
        told.append(
            f"{now.waiting_sessions} sessions wait for locks (limit {limits.waiting_sessions})"
        )
    if limits.wraparound_vacuum and now.wraparound_vacuums:
        told.append("a vacuum runs to prevent wraparound of transaction ids")
    if limits.wal_mb_per_s and before is not None and now.at > before.at:
        rate = (now.wal_bytes - before.wal_bytes) / _MB / (now.at - before.at)
        if rate > limits.wal_mb_per_s:
            told.append(f"{rate:.0f} MB of WAL a second (limit {limits.wal_mb_per_s:g})")
    if 0 < limits.load_per_processor < now.load_per_processor:
        told.append(
            f"the load of this host is {now.load_per_processor:.1f} for each processor "
            f"(limit {limits.load_per_processor:g})"
        )
    return told
