"""The ledger is closed once, however often somebody has to try."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from etl import ledger
from etl.db import Connection
from etl.model import Claim, CycleRecord, LevelCount, Outcome, Result
from etl.queue import FileQueue, OpenClaims
from tests.conftest import shipped_job
from tests.support import DAY

JOB = shipped_job()


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[FileQueue]:
    """A queue of three items: one done, one in hand, one that ran into the timeout."""
    queue = FileQueue(tmp_path / "queue")
    queue.build(("item_key", "level"), [("1", 1), ("2", 1), ("3", 2)])
    for number in (1, 2, 3):
        claim = queue.claim(number)
        assert claim is not None
        if number == 1:
            queue.acknowledge(1, claim, Result(Outcome.DONE, 0.5))
        elif number == 3:
            queue.defer(3, claim, Result(Outcome.FAILED, 1.5, "57014", "slow"), is_slow=True)
    yield queue
    queue.close()


@pytest.fixture
def record(connection: Connection) -> CycleRecord:
    """The record of a cycle that has just begun."""
    record = CycleRecord(JOB.name, datetime.now(UTC), DAY, max_items=3)
    record.levels = {1: LevelCount(1, "critical", found=2), 2: LevelCount(2, "high", found=1)}
    ledger.open_cycle(connection, record)
    ledger.update_cycle(connection, record)
    return record


def attempts(connection: Connection) -> list[tuple[str, str]]:
    return connection.execute(
        "SELECT item_key, outcome FROM etl.attempt ORDER BY item_key"
    ).fetchall()


def held(connection: Connection) -> list[tuple[str, int]]:
    return connection.execute(
        "SELECT item_key, attempts FROM etl.held_item ORDER BY item_key"
    ).fetchall()


def test_a_record_that_is_closed_twice_has_its_attempts_once(
    connection: Connection, queue: FileQueue, record: CycleRecord
) -> None:
    """As after a connection that was lost between the COMMIT and its answer."""
    record.count(Claim(1, "1", 1, {}), Outcome.DONE)
    for _ in range(2):
        ledger.close_cycle(connection, queue, record, JOB, OpenClaims(), lambda _: None)
    assert attempts(connection) == [("1", "done")]


def test_recovery_counts_what_was_in_hand_and_what_was_deferred(
    connection: Connection, queue: FileQueue, record: CycleRecord
) -> None:
    assert record.cycle_id is not None
    recovered = ledger.recover(connection, queue, record.cycle_id, JOB)
    assert recovered is not None
    assert (recovered.done, recovered.orphaned, recovered.failed, recovered.remaining) == (
        1, 1, 1, 0,
    )  # fmt: skip
    assert attempts(connection) == [("1", "done"), ("2", "orphaned"), ("3", "failed")]
    assert held(connection) == [("2", 1), ("3", 1)]
    assert ledger.recover(connection, queue, record.cycle_id, JOB) is None
    assert held(connection) == [("2", 1), ("3", 1)]


def test_a_record_that_another_host_has_closed_still_gets_its_attempts(
    connection: Connection, queue: FileQueue, record: CycleRecord
) -> None:
    ledger.close_abandoned(connection, record)
    assert record.cycle_id is not None
    recovered = ledger.recover(connection, queue, record.cycle_id, JOB)
    assert recovered is not None
    assert len(attempts(connection)) == 3
    row = connection.execute("SELECT done, orphaned, failed, stop_reason FROM etl.cycle").fetchall()
    assert row == [(1, 1, 1, "crashed")]
