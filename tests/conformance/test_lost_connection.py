"""The queue in the database, where a connection is lost with an item in hand."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from etl import db
from etl.keyrange import cut
from etl.model import Claim, Outcome, Result
from etl.queue import RowQueue, TableQueue
from etl.queue.table import told_as_json
from etl.sqlfile import shipped
from tests.conformance.tables import LIMITS_S
from tests.waiting import until_found

COLUMNS = ("item_key", "level", "weight", "kind", "first_key", "last_key")
LOST = Result(Outcome.FAILED, 1.0, "08006", "connection lost")


@pytest.fixture
def target(dsn: str) -> db.Target:
    return db.Target.parse(dsn)


@pytest.fixture
def table(target: db.Target, tmp_path: Path) -> Iterator[TableQueue]:
    """A queue with one item, a range of ten keys; and the connection of its supervisor."""
    with closing(db.connect(target, "supervisor")) as own:

        def perform(action: object) -> bool:
            assert callable(action)
            action(own)
            return True

        queue = TableQueue(tmp_path / "cycle-1", 1, perform, takes_outcomes=False)
        given = {"job": "ranges", "parameters": "{}", "files": told_as_json({})}
        own.execute(
            "INSERT INTO etl.cycle (cycle_id, job, started_at, host, pid, etl_version, as_of,"
            " workers, max_items)"
            " OVERRIDING SYSTEM VALUE VALUES (1, 'ranges', now(), 'h', 1, '0', current_date, 1, 1)"
        )
        queue.to_be_built(lambda: db.connect(target, "builder"), {**given, "batch_size": None})
        queue.build(COLUMNS, [("odd:1..10", 1, 10, "odd", 1, 10)])
        with closing(queue):
            yield queue


def standing(target: db.Target) -> tuple[list[str], list[tuple[str, str]]]:
    """The items left, and what became of others."""
    with closing(db.connect(target, "tests")) as connection:
        items = connection.execute("SELECT item_key FROM etl.queue_item ORDER BY position")
        left = [str(key) for (key,) in items.fetchall()]
        told = connection.execute("SELECT item_key, outcome FROM etl.queue_outcome ORDER BY 1, 2")
        return left, [(str(key), str(outcome)) for key, outcome in told.fetchall()]


def commit_unheard(
    table: TableQueue, target: db.Target
) -> tuple[RowQueue, Claim, Claim, db.Connection]:
    """A worker whose connection is lost between the COMMIT of a part and the answer to it."""
    first = db.connect(target, "worker")
    queue = RowQueue(table.folder, 1, COLUMNS, 1, LIMITS_S)
    queue.attach(first)
    claim = queue.claim(1)
    assert claim is not None
    part = cut(claim, 5, 5)
    for call in queue.behind(part):
        first.pgconn.send_query_prepared(*call)
        while first.pgconn.get_result():
            pass
    first.close()
    return queue, claim, part, db.connect(target, "worker")


@pytest.mark.parametrize("is_deferred", [False, True])
def test_a_part_that_was_committed_unheard_is_neither_told_again_nor_deferred(
    table: TableQueue, target: db.Target, is_deferred: bool
) -> None:
    queue, _, part, second = commit_unheard(table, target)
    with closing(second):
        queue.attach(second)
        if is_deferred:
            queue.defer(1, part, LOST, is_slow=False)
        else:
            (rest,) = queue.acknowledge(1, part, LOST)
            assert rest.item_key == "odd:6..10"
        queue.close()
    assert standing(target) == (["odd:6..10"], [("odd:1..5", "done")])


def test_the_rest_of_a_part_is_no_orphan_of_a_worker_that_had_not_claimed_it(
    table: TableQueue, target: db.Target
) -> None:
    _, claim, _, second = commit_unheard(table, target)
    second.close()
    table.acknowledge(1, claim, Result(Outcome.ORPHANED, message="its worker died"))
    assert standing(target) == (["odd:6..10"], [("odd:1..5", "done")])


@pytest.mark.parametrize("gives_back", [False, True], ids=["rest", "given-back"])
def test_what_a_worker_puts_back_while_the_queue_ends_is_not_left(
    table: TableQueue, target: db.Target, gives_back: bool
) -> None:
    """A crew that still works on the queue of an owner that is gone, as the next cycle ends it."""
    queue = RowQueue(table.folder, 1, COLUMNS, 1, LIMITS_S)
    with (
        closing(db.connect(target, "worker")) as own,
        closing(db.connect(target, "closing")) as owner,
        closing(db.connect(target, "watch")) as watch,
        ThreadPoolExecutor() as pool,
    ):
        queue.attach(own)
        claim = queue.claim(1)
        assert claim is not None
        given = {"cycle_id": 1, "position": 1, "held_key": claim.item_key, "worker": 1}
        if gives_back:
            back = {**given, "is_slow": None, "sqlstate": None, "message": None}
            db.run(own, shipped("queue/give_back"), **back)
        else:
            own.pgconn.send_query_prepared(*queue.behind(cut(claim, 5, 5))[0])
            while own.pgconn.get_result():
                pass
        ended = pool.submit(table.conclude, owner)
        blocked = "SELECT FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid))"
        until_found(watch, blocked, [own.info.backend_pid])
        own.execute("COMMIT")
        ended.result(timeout=30)
        assert watch.execute("SELECT FROM etl.queue_item").rowcount == 0
        queue.close()
