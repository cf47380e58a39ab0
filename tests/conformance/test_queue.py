"""What every queue does. An implementation is one more name in queues.py."""

from collections import Counter
from collections.abc import Generator, Iterator
from itertools import chain
from pathlib import Path

import pytest

from etl.model import Claim, Outcome, Result
from etl.queue import Entry, Queue
from tests.conformance.queues import IMPLEMENTATIONS, MakeQueue
from tests.conformance.tables import DSN, end_all

COLUMNS = ("item_key", "level")
DONE = Result(Outcome.DONE, 12.5)
ROWS = [("a", 1), ("b", 1), ("c", 2), ("d", 3)]
ODD = [
    *("", " ", "tab\there", "two\nlines", "cr\rlf\r\n", "back\\slash", r"\N", r"\t", "\\"),
    *("'quotes\"", "é€😀", "x'; DROP TABLE t; --", "cycle\t7", "a\x0bb\x0cc", "\x1c\x1d\x1e"),
    *("next\x85line", "line\u2028paragraph\u2029", "nul\0", "x" * 10_000),
]


@pytest.fixture(params=IMPLEMENTATIONS)
def make_queue(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Generator[MakeQueue]:
    """Opens one and the same queue, as often as it is called."""
    if request.param == "postgres":
        monkeypatch.setenv(DSN, str(request.getfixturevalue("dsn")))
    yield MakeQueue(request.param, str(tmp_path / "queue-1"))
    end_all()


@pytest.fixture
def queue(make_queue: MakeQueue) -> Queue:
    queue = make_queue()
    assert queue.build(COLUMNS, ROWS) == 4
    return queue


def claimed(queue: Queue, worker: int = 1) -> Claim:
    """The next claim; there is one."""
    claim = queue.claim(worker)
    assert claim is not None
    return claim


def remaining(queue: Queue, worker: int = 1) -> Iterator[Claim]:
    while (claim := queue.claim(worker)) is not None:
        yield claim


def told(entries: list[Entry]) -> list[tuple[str, int, str]]:
    """Event, worker and key of each entry."""
    return [(entry.event, entry.worker, entry.claim.item_key) for entry in entries]


def test_items_are_claimed_in_the_order_in_which_they_were_given(queue: Queue) -> None:
    claims = list(remaining(queue))
    assert [(claim.item_key, claim.level) for claim in claims] == ROWS
    assert [claim.position for claim in claims] == [1, 2, 3, 4]


def test_an_exhausted_queue_gives_nothing_every_time(queue: Queue) -> None:
    assert len(list(remaining(queue))) == 4
    assert [queue.claim(1), queue.claim(2)] == [None, None]
    assert queue.depth() == 0


def test_a_queue_may_be_empty(make_queue: MakeQueue) -> None:
    queue = make_queue()
    assert queue.build(COLUMNS, []) == 0
    assert (queue.depth(), queue.claim(1), list(queue.history())) == (0, None, [])


def test_depth_is_what_nobody_has_claimed(queue: Queue) -> None:
    depths = [queue.depth()]
    for claim in remaining(queue):
        depths.append(queue.depth())
        queue.acknowledge(1, claim, DONE)
    assert depths == [4, 3, 2, 1, 0]


def test_an_acknowledged_item_is_not_given_again(queue: Queue) -> None:
    for outcome in Outcome:
        queue.acknowledge(1, claimed(queue), Result(outcome))
    assert queue.claim(1) is None


def test_a_released_item_goes_to_the_end_and_is_given_again(queue: Queue) -> None:
    first = claimed(queue)
    queue.release(1, first)
    assert queue.depth() == 4
    again = list(remaining(queue, worker=2))
    assert [claim.item_key for claim in again] == ["b", "c", "d", "a"]
    assert (again[-1].level, again[-1].values) == (first.level, first.values)
    assert again[-1].position > again[-2].position


def test_a_deferred_item_comes_again_as_a_slow_one(queue: Queue) -> None:
    first = claimed(queue)
    assert not first.is_slow
    failed = Result(Outcome.FAILED, 1.5, "57014", "too slow")
    queue.defer(1, first, failed, is_slow=True)
    again = list(remaining(queue, worker=2))
    assert [(claim.item_key, claim.is_slow) for claim in again] == [
        ("b", False), ("c", False), ("d", False), ("a", True),
    ]  # fmt: skip
    assert again[-1].values == first.values
    (deferred,) = [entry for entry in queue.entries() if entry.event == "deferred"]
    assert (deferred.claim.item_key, deferred.result) == ("a", failed)
    assert not deferred.is_outcome
    queue.release(2, again[-1])
    assert claimed(queue).is_slow


def test_an_item_can_be_released_after_the_queue_was_exhausted(queue: Queue) -> None:
    *_, last = remaining(queue)
    queue.release(1, last)
    assert [claim.item_key for claim in remaining(queue)] == ["d"]


def test_entries_tell_what_is_new_once(queue: Queue) -> None:
    assert queue.entries() == []
    a, b = claimed(queue, 1), claimed(queue, 2)
    assert told(queue.entries()) == [("claimed", 1, "a"), ("claimed", 2, "b")]
    queue.acknowledge(2, b, Result(Outcome.FAILED, 3.25, "22012", "division\tby\nzero \\"))
    queue.release(1, a)
    failed, released = queue.entries()
    assert told([failed, released]) == [("failed", 2, "b"), ("released", 1, "a")]
    assert failed.result == Result(Outcome.FAILED, 3.25, "22012", "division\tby\nzero \\")
    assert (failed.claim.position, failed.claim.level) == (b.position, b.level)
    assert released.result is None
    assert failed.at <= released.at
    assert queue.entries() == []


def test_everybody_is_told_what_the_others_did(make_queue: MakeQueue, queue: Queue) -> None:
    other = make_queue()
    other.acknowledge(2, claimed(other, 2), DONE)
    assert told(queue.entries()) == [("claimed", 2, "a"), ("done", 2, "a")]


def test_history_tells_everything_since_the_queue_was_built(
    make_queue: MakeQueue, queue: Queue
) -> None:
    for claim in remaining(queue):
        queue.acknowledge(1, claim, DONE)
    expected = [(event, 1, key) for key in "abcd" for event in ("claimed", "done")]
    assert told(list(queue.history())) == expected
    assert told(list(queue.history())) == expected
    assert told(list(make_queue().history())) == expected


def test_history_is_complete_however_much_has_happened(make_queue: MakeQueue) -> None:
    """More than any buffer holds at once."""
    queue = make_queue()
    queue.build(COLUMNS, [(f"{n:05}" + "x" * 1000, 1) for n in range(1500)])
    keys: list[str] = []
    for claim in remaining(queue):
        keys.append(claim.item_key)
        queue.acknowledge(1, claim, DONE)
    told_twice = [entry.claim.item_key for entry in queue.history()]
    assert told_twice == [key for key in keys for _ in range(2)]
    assert len(keys) == 1500


def test_a_message_of_any_length_is_told_with_all_that_comes_after_it(queue: Queue) -> None:
    queue.acknowledge(1, claimed(queue), Result(Outcome.FAILED, message="x" * (2 << 20)))
    queue.acknowledge(1, claimed(queue), DONE)
    events = [event for event, _, _ in told(list(queue.history()))]
    assert events == ["claimed", "failed", "claimed", "done"]


def test_reading_the_history_takes_nothing_from_entries(queue: Queue) -> None:
    claimed(queue)
    assert len(queue.entries()) == 1
    claimed(queue)
    assert len(list(queue.history())) == 2
    assert told(queue.entries()) == [("claimed", 1, "b")]


@pytest.mark.parametrize("key", ODD, ids=ascii)
def test_any_key_and_any_value_come_back_as_they_were(make_queue: MakeQueue, key: str) -> None:
    if key == "nul\0" and make_queue.implementation == "postgres":
        pytest.skip("no text of PostgreSQL's has a zero, so no key has")
    queue = make_queue()
    columns = ("level", "country", "item_key", "nothing")
    queue.build(columns, [(1, key, key, None), (2, None, "next", key)])
    claim = claimed(queue)
    values = {"level": "1", "country": key, "item_key": key, "nothing": None}
    assert claim == Claim(1, key, 1, values)
    queue.release(1, claim)
    assert claimed(queue).values["nothing"] == key
    again = claimed(queue)
    assert (again.item_key, again.values) == (key, values)
    queue.acknowledge(1, again, Result(Outcome.FAILED, message=key))
    history = list(queue.history())
    assert [entry.claim.item_key for entry in history] == [key, key, "next", key, key]
    assert history[-1].result == Result(Outcome.FAILED, message=key)


def test_two_users_of_a_queue_never_claim_the_same_item(
    make_queue: MakeQueue, queue: Queue
) -> None:
    other = make_queue()
    keys = [claimed(user, worker).item_key for user in (queue, other) for worker in (1, 2)]
    assert keys == ["a", "b", "c", "d"]
    assert (queue.claim(1), other.claim(2)) == (None, None)


def test_processes_share_a_queue_item_by_item(make_queue: MakeQueue) -> None:
    queue = make_queue()
    queue.build(COLUMNS, [(f"user {n}", 1) for n in range(1, 2001)])
    processes = [make_queue.in_process(worker) for worker in range(1, 5)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("drain\n")
        process.stdin.flush()
    positions = [[int(line) for line in process.communicate()[0].split()] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    assert all(mine == sorted(set(mine)) for mine in positions)
    assert sorted(chain.from_iterable(positions)) == list(range(1, 2001))
    events = Counter((entry.event, entry.claim.item_key) for entry in queue.history())
    assert set(events.values()) == {1}
    assert len(events) == 4000


def test_a_process_killed_with_an_item_in_hand_leaves_just_that_item(
    make_queue: MakeQueue, queue: Queue
) -> None:
    with make_queue.in_process(worker=9) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("claim\n")
        process.stdin.flush()
        assert [process.stdout.readline() for _ in range(2)] == ["ready\n", "a\n"]
        process.kill()
    got: list[str] = []
    expected = 4 if make_queue.frees_what_the_dead_had else 3
    while len(got) < expected:  # the server takes a moment to notice
        for claim in remaining(queue):
            got.append(claim.item_key)
            queue.acknowledge(1, claim, DONE)
    history = told(list(queue.history()))
    claims = {(worker, key) for event, worker, key in history if event == "claimed"}
    outcomes = {(worker, key) for event, worker, key in history if event == "done"}
    assert claims - outcomes == {(9, "a")}
    assert sorted(got) == sorted(key for _, key in outcomes)
    assert outcomes >= {(1, "b"), (1, "c"), (1, "d")}
