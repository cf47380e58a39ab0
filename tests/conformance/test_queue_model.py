"""Any sequence of calls, compared with a queue that is just a list in memory."""

import itertools
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from etl.model import Claim, Outcome, Result
from tests.conformance.queues import IMPLEMENTATIONS, MakeQueue
from tests.conformance.tables import DSN, end_all

COLUMNS = ("item_key", "level", "more")
TEXT = st.text(
    st.one_of(
        st.sampled_from("\t\n\r\\N\x0b\x0c\x1c\x85\u2028"),
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"),  # as PostgreSQL's
    ),
    max_size=6,
)
Row = tuple[str, int, str | None]
ROWS: st.SearchStrategy[list[Row]] = st.lists(
    st.tuples(TEXT, st.integers(0, 6), st.none() | TEXT), max_size=8
)
_NUMBERS = itertools.count(1)
_GIVEN_BACK = 10**9  # where items that come again may stand
WORKERS = st.integers(1, 3)
Told = tuple[str, int, str, Result | None]


class QueueMachine(RuleBasedStateMachine):
    """Two users of one queue, and what they should see."""

    implementation = "file"
    claims: Bundle[tuple[int, Claim, Row] | None] = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.number = next(_NUMBERS)
        path = Path(self.folder.name) / f"queue-{self.number}"
        self.make_queue = MakeQueue(self.implementation, str(path))
        self.users = [self.make_queue(), self.make_queue()]
        self.is_built = False
        self.position = 0
        self.waiting: list[tuple[Row, bool]] = []
        self.history: list[Told] = []
        self.unread = 0

    def teardown(self) -> None:
        for user in self.users:
            user.close()
        end_all()
        self.folder.cleanup()

    @initialize(rows=ROWS)
    def build(self, rows: list[Row]) -> None:
        assert self.users[0].build(COLUMNS, rows) == len(rows)
        self.waiting = [(row, False) for row in rows]
        self.is_built = True

    @rule(target=claims, user=st.integers(0, 1), worker=WORKERS)
    def claim(self, user: int, worker: int) -> tuple[int, Claim, Row] | None:
        return self.expect(worker, self.users[user].claim(worker))

    def expect(self, worker: int, claim: Claim | None) -> tuple[int, Claim, Row] | None:
        if not self.waiting:
            assert claim is None
            return None
        assert claim is not None
        if self.make_queue.takes_back:
            assert claim.position == self.position + 1
        assert claim.position > self.position or self.position > _GIVEN_BACK
        self.position = claim.position
        row, is_slow = self.waiting.pop(0)
        key, level, more = row
        values = {"item_key": key, "level": str(level), "more": more}
        assert claim == Claim(claim.position, key, level, values, is_slow)
        self.history.append(("claimed", worker, key, None))
        return worker, claim, row

    @rule(
        held=consumes(claims),
        user=st.integers(0, 1),
        outcome=st.sampled_from(Outcome),
        message=TEXT,
    )
    def acknowledge(
        self, held: tuple[int, Claim, Row] | None, user: int, outcome: Outcome, message: str
    ) -> None:
        if held is None:
            return
        worker, claim, _ = held
        result = Result(outcome, 0.25, "XX000", message)
        self.users[user].acknowledge(worker, claim, result)
        self.history.append((outcome.value, worker, claim.item_key, result))

    @rule(target=claims, held=consumes(claims), user=st.integers(0, 1))
    def exchange(
        self, held: tuple[int, Claim, Row] | None, user: int
    ) -> tuple[int, Claim, Row] | None:
        if held is None:
            return None
        worker, done, _ = held
        result = Result(Outcome.DONE, 0.25)
        claims = self.users[user].exchange(worker, [(done, result)])
        self.history.append(("done", worker, done.item_key, result))
        return self.expect(worker, claims[0] if claims else None)

    @rule(target=claims, user=st.integers(0, 1), worker=WORKERS, most=st.integers(2, 4))
    def claim_some(
        self, user: int, worker: int, most: int
    ) -> MultipleResults[tuple[int, Claim, Row] | None]:
        found = self.users[user].exchange(worker, (), most)
        assert len(found) == min(most, len(self.waiting))
        return multiple(*[self.expect(worker, claim) for claim in found])

    @rule(held=consumes(claims), user=st.integers(0, 1))
    def lose_a_commit(self, held: tuple[int, Claim, Row] | None, user: int) -> None:
        if held is None:
            return
        worker, claim, row = held
        if not self.make_queue.takes_back:
            self.users[user].release(worker, claim)
            self.waiting.append((row, claim.is_slow))
            self.history.append(("released", worker, claim.item_key, None))
            return
        self.users[user].acknowledge(worker, claim, Result(Outcome.DONE, 0.25))
        self.users[user].take_back(worker, [claim.position])
        self.waiting.append((row, claim.is_slow))
        self.history.append(("done", worker, claim.item_key, Result(Outcome.DONE, 0.25)))
        self.history.append(("taken_back", worker, claim.item_key, None))

    @rule(
        held=consumes(claims),
        user=st.integers(0, 1),
        is_deferred=st.booleans(),
        is_told=st.booleans(),
    )
    def give_back(
        self, held: tuple[int, Claim, Row] | None, user: int, is_deferred: bool, is_told: bool
    ) -> None:
        if held is None:
            return
        worker, claim, row = held
        queue = self.users[user]
        if is_deferred:
            result = Result(Outcome.FAILED, 0.25, "57014", "too slow")
            queue.defer(worker, claim, result, is_slow=True)
            self.history.append(("deferred", worker, claim.item_key, result))
        else:
            # Also somebody else's, of which only the journal tells.
            queue.release(worker, claim._replace(values={}) if is_told else claim)
            self.history.append(("released", worker, claim.item_key, None))
        self.waiting.append((row, is_deferred or claim.is_slow))

    @rule()
    def read_entries(self) -> None:
        found = [(e.event, e.worker, e.claim.item_key, e.result) for e in self.users[0].entries()]
        assert found == self.history[self.unread :]
        self.unread = len(self.history)

    @rule()
    def read_history(self) -> None:
        found = [(e.event, e.worker, e.claim.item_key, e.result) for e in self.users[1].history()]
        assert found == self.history

    @invariant()
    def depth_is_what_waits(self) -> None:
        if self.is_built:
            assert [user.depth() for user in self.users] == [len(self.waiting)] * 2


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_a_queue_behaves_as_a_list_would(
    implementation: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if implementation == "postgres":
        monkeypatch.setenv(DSN, str(request.getfixturevalue("dsn")))
    machine = type("Machine", (QueueMachine,), {"implementation": implementation})
    few = settings(
        max_examples=60 if implementation == "file" else 15, stateful_step_count=25, deadline=None
    )
    run_state_machine_as_test(machine, settings=few)
