"""The ledger is closed once, however often somebody has to try."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from etl import db, folders, job, ledger
from etl.db import Connection
from etl.model import Claim, CycleRecord, LevelCount, Outcome, Result
from etl.queue import Entry, FileQueue, OpenClaims
from etl.sqlfile import shipped
from tests.conftest import shipped_job
from tests.support import DAY

JOB = shipped_job()
RANGES = job.load(folders.sql_folder() / "jobs" / "fix_invoices")
RANGE: dict[str, str | None] = {
    "item_key": "fee:1:9", "level": "1", "weight": "9",
    "kind": "fee", "first_key": "1", "last_key": "9",
}  # fmt: skip
CAME_SINCE = Claim(1, "fee:5", 1, {**RANGE, "weight": "0"})
"""A key of that range that was not there when it was listed."""


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


def test_a_worker_that_still_tells_an_outcome_while_its_cycle_is_recovered_has_that_one(
    connection: Connection,
    queue: FileQueue,
    record: CycleRecord,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = queue.history

    def history() -> Iterator[Entry]:
        yield from read()
        monkeypatch.setattr(queue, "history", read)
        queue.acknowledge(2, Claim(2, "2", 1, {}), Result(Outcome.DONE, 0.5))

    monkeypatch.setattr(queue, "history", history)
    assert record.cycle_id is not None
    recovered = ledger.recover(connection, queue, record.cycle_id, JOB)
    assert recovered is not None
    assert (recovered.done, recovered.orphaned, recovered.remaining) == (2, 0, 0)
    assert attempts(connection) == [("1", "done"), ("2", "done"), ("3", "failed")]
    assert held(connection) == [("3", 1)]


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


@pytest.fixture
def half_done(connection: Connection, tmp_path: Path) -> Iterator[tuple[FileQueue, CycleRecord]]:
    """A cycle over a range of which nine keys are done, and one that came since has failed."""
    with closing(FileQueue(tmp_path / "ranges")) as queue:
        queue.build(list(RANGE), [list(RANGE.values())])
        claim = queue.claim(1)
        assert claim is not None
        queue.acknowledge(1, claim, Result(Outcome.DONE, 0.5))
        queue.acknowledge(1, CAME_SINCE, Result(Outcome.FAILED, 0.5, "P0001", "no"))
        record = CycleRecord(
            RANGES.name, datetime.now(UTC), DAY, max_items=9, counts_keys=True,
            levels={1: LevelCount(1, "critical", found=9)},
        )  # fmt: skip
        ledger.open_cycle(connection, record)
        yield queue, record


def sums(record: CycleRecord) -> tuple[int, int, int, int]:
    return record.found, record.done, record.failed, record.remaining


@pytest.mark.parametrize("is_told", [True, False])
def test_recovery_finds_a_key_that_came_since_once(
    connection: Connection, half_done: tuple[FileQueue, CycleRecord], *, is_told: bool
) -> None:
    queue, record = half_done
    record.count(Claim(1, "fee:1:9", 1, dict(RANGE)), Outcome.DONE)
    record.count(CAME_SINCE, Outcome.FAILED)
    if is_told:  # by the progress of the cycle, before it was cut off
        ledger.update_cycle(connection, record)
    assert record.cycle_id is not None
    recovered = ledger.recover(connection, queue, record.cycle_id, RANGES)
    assert recovered is not None
    assert sums(recovered) == sums(record) == (10, 9, 1, 0)


def test_a_key_that_came_since_and_failed_is_counted_in_every_queue(
    connection: Connection, half_done: tuple[FileQueue, CycleRecord]
) -> None:
    queue, record = half_done
    ledger.close_cycle(connection, queue, record, RANGES, OpenClaims(), lambda _: None)
    counted = db.run(connection, shipped("ledger/count_attempts"), cycle_id=record.cycle_id)
    assert sorted(counted) == [(1, "done", 1, 9), (1, "failed", 1, 1)]
