"""A database with cycles of all kinds behind it, and what `etl metrics` says about it."""

import json
from collections.abc import Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from etl import db
from etl.db import Connection
from etl.metrics.reading import read
from etl.sqlfile import shipped
from tests.conftest import READER, Connect, Etl, shipped_job
from tests.support import add_facts, add_users, opened, user_ids

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
"""Value by name of the sample and its labels."""

LEVELS = ["critical", "high", "medium", "very active", "moderately active", "lowest"]


def samples(text: str) -> Samples:
    """What Prometheus understands."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, f"twice: {key}"
            found[key] = sample.value
    return found


class Scrape:
    """One output of `etl metrics`, for the job datamart_users."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.samples = samples(text)
        self.names = {name for name, _ in self.samples}

    def __call__(self, name: str, **labels: str) -> float | None:
        """The value of a sample of the job; None where it is absent."""
        return self.samples.get((name, frozenset({**labels, "etl_job": "datamart_users"}.items())))

    def by(self, label: str, name: str, **labels: str) -> dict[str, float]:
        """The values of a metric of the job by one label, those with these other labels."""
        found: dict[str, float] = {}
        for (sample, pairs), value in self.samples.items():
            known = dict(pairs)
            if sample == name and labels.items() <= known.items():
                found[known[label]] = value
        return found


@pytest.fixture
def scrape(dsn: str) -> Callable[[], Scrape]:
    """Asks for the metrics, as somebody who may only read."""
    target = db.Target.parse(f"{dsn} user={READER}")

    def ask() -> Scrape:
        found = read(target, [shipped_job()], timeout_s=60)
        assert (found.error, found.problems) == (None, [])
        return Scrape(found.samples.exposition().decode())

    return ask


def add_cycle(
    connection: Connection,
    started_at: str,
    *,
    stop_reason: str = "drained",
    found: int = 1,
    failed: int = 0,
    level: tuple[int, str] = (1, "critical"),
    waits: str = "[]",
) -> None:
    """Insert the record of a cycle of one level that took ten seconds."""
    levels = [
        {"level": level[0], "name": level[1], "found": found, "done": found - failed,
         "failed": failed, "busy": 0, "orphaned": 0}
    ]  # fmt: skip
    connection.execute(
        "INSERT INTO etl.cycle (job, started_at, finished_at, host, pid, etl_version, as_of,"
        " max_items, workers, found, done, failed, levels, waits, stop_reason) SELECT"
        " 'datamart_users', $1::timestamptz, $1::timestamptz + interval '10 s', 'h', 1, '0',"
        " '2026-01-16', 10, 1, $2::bigint, $2::bigint - $3::bigint, $3::bigint, $4::jsonb,"
        " $5::jsonb, $6",
        [started_at, found, failed, json.dumps(levels), waits, stop_reason],
    )


@pytest.fixture
def worked(etl: Etl, connection: Connection) -> dict[str, int]:
    """Users of two levels after two cycles: some done, one failing, some left."""
    users = [f"user{number:02}" for number in range(12)]
    add_users(connection, *users)
    today = connection.execute("SELECT (now() AT TIME ZONE 'UTC')::date").fetchall()[0][0]
    facts = [opened(number, f"{today} 00:00", name) for number, name in enumerate(users[:4])]
    facts += [opened(10 + n, "2020-02-02 10:00", name) for n, name in enumerate(users[4:8])]
    add_facts(connection, facts)
    ids = user_ids(connection)
    connection.execute(
        "ALTER TABLE dwh.datamart_users ADD CONSTRAINT poison"
        f" CHECK (dimension_user_id <> {ids['user01']})".encode()
    )
    assert etl("datamart-users", "--max-users=3", "--reserved-percent=0").status == 1
    assert etl("datamart-users", "--max-users=2").status == 0
    connection.execute("UPDATE dwh.dimension_users SET modified = TRUE WHERE username = 'user00'")
    return ids


@pytest.fixture
def running(connection: Connection, connect_again: Connect) -> None:
    """A cycle that runs: its lock is held, its record open; it waits for a signal."""
    rival = connect_again()
    assert db.one(rival, shipped("lock/try_cycle_lock"), job="datamart-users")[0]
    connection.execute(
        "INSERT INTO etl.cycle (job, started_at, host, pid, etl_version, as_of, max_items, workers,"
        " found, done, failed, levels, predicted_s, waits_for) VALUES ('datamart_users',"
        " '2026-01-16 03:00Z', 'h', 1, '0', '2026-01-16', 100, 2, 900, 30, 1,"
        ' \'[{"level": 1, "name": "critical", "found": 900, "done": 30, "failed": 1, "busy": 0,'
        " \"orphaned\": 0}]', 12.5, 'replication lag')"
    )
