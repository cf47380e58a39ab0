"""The arithmetic of held items, for any history: compared with a few lines of Python."""

import tempfile
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from etl import db, deploy, ledger
from etl.db import Connection
from etl.ledger import held
from etl.model import Claim, CycleRecord, Outcome, Result
from etl.queue import FileQueue, OpenClaims
from etl.sqlfile import shipped
from tests.conftest import shipped_job
from tests.support import DAY

JOB = shipped_job()
CAP_S = 6 * 3600
DATA_ERRORS = ("21000", "22012", "22P02", "23503", "23505", "44000", "P0002", "P0003", "P0004")
OTHERS = ("08006", "40P01", "53200", "54001", "55006", "57014", "57P01", "P0001", "XX000")
KEYS = ("1", "2", "it's")
Try = tuple[Outcome, str]


def nominal_s(attempts: int) -> float:
    """The back-off without chance: 1, 2, 4, … minutes, at most 6 hours."""
    return min(60 * 2.0 ** min(attempts - 1, 20), CAP_S)


def test_a_back_off_doubles_up_to_its_cap_and_never_overflows(connection: Connection) -> None:
    counts = [*range(1, 70), 1023, 1024, 1025, 2**31 - 1, 2**31, 2**63 - 1, 0, -1, -(2**63)]
    rows = connection.execute(
        "SELECT n, min(s), max(s), count(DISTINCT s) FROM (SELECT n,"
        " extract(epoch FROM etl.back_off(n))::float8 AS s"
        " FROM unnest($1::bigint[]) AS n, generate_series(1, 200)) AS x GROUP BY n",
        [counts],
    ).fetchall()
    found = {int(n): (float(low), float(high), int(many)) for n, low, high, many in rows}
    assert set(found) == set(counts)
    for attempts, (low, high, many) in found.items():
        middle = nominal_s(max(attempts, 1))
        assert 0.75 * middle <= low <= high <= 1.25 * middle
        assert many > 150  # 200 draws that are all the same would come back all together
        assert low < 0.9 * middle
        assert high > 1.1 * middle
    assert all(found[n][1] < found[n + 1][0] for n in range(1, 9))
    assert max(high for _, high, _ in found.values()) <= 1.25 * CAP_S


def test_a_data_error_is_told_by_its_class(connection: Connection) -> None:
    @hypothesis_settings(max_examples=100, deadline=None)
    @given(st.lists(st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=5, max_size=5)))
    def check(drawn: list[str]) -> None:
        codes = [*drawn, *DATA_ERRORS, *OTHERS]
        rows = connection.execute(
            "SELECT c, etl.is_data_error(c) FROM unnest($1::text[]) AS c", [codes]
        ).fetchall()
        for code, is_data_error in rows:
            begins = code[:2] in ("21", "22", "23", "44")
            assert is_data_error is (begins or code in ("P0002", "P0003", "P0004"))

    check()
    assert connection.execute("SELECT etl.is_data_error(NULL)").fetchall() == [(False,)]


@dataclass
class Held:
    """What the ledger should hold of an item."""

    attempts: int
    is_quarantined: bool
    outcome: Outcome
    sqlstate: str | None
    cycle_id: int


TRIES: st.SearchStrategy[Try] = st.one_of(
    st.tuples(st.just(Outcome.FAILED), st.sampled_from(DATA_ERRORS)),
    st.tuples(st.just(Outcome.FAILED), st.sampled_from(OTHERS)),
    st.sampled_from([(Outcome.DONE, ""), (Outcome.BUSY, "55P03"), (Outcome.ORPHANED, "")]),
)


class HeldMachine(RuleBasedStateMachine):
    """Cycles over three items, releases by people and by files, and what should be held."""

    connection: Connection

    def __init__(self) -> None:
        super().__init__()
        self.connection.execute("TRUNCATE etl.held_item, etl.cycle, etl.attempt")
        self.expected: dict[str, Held] = {}

    @rule(tries=st.dictionaries(st.sampled_from(KEYS), TRIES), max_attempts=st.integers(1, 6))
    def cycle(self, tries: dict[str, Try], max_attempts: int) -> None:
        record = self.run([(key, 1, one) for key, one in tries.items()], max_attempts)
        for key, (outcome, sqlstate) in tries.items():
            self.expect(key, outcome, sqlstate, record.cycle_id or 0, max_attempts)
        told = sum(one.is_quarantined for one in self.expected.values())
        assert record.quarantined == told

    @rule(key=st.sampled_from(KEYS), one=TRIES)
    def cycle_for_one_that_was_asked_for(self, key: str, one: Try) -> None:
        """Level 0: whoever asked sees the error, and nothing is held for it."""
        self.run([(key, 0, one)], max_attempts=1)
        if one[0] is Outcome.DONE:
            self.expected.pop(key, None)

    @rule(key=st.sampled_from(KEYS))
    def person_releases(self, key: str) -> None:
        if self.expected.pop(key, None) is not None:
            assert held.release_keys(self.connection, JOB.name, [key]) == [key]

    @rule(code=st.sampled_from(["22", "57014", "P0"]))
    def person_releases_by_sqlstate(self, code: str) -> None:
        gone = [key for key, one in self.expected.items() if (one.sqlstate or "").startswith(code)]
        assert held.release(self.connection, JOB.name, sqlstate=code) == sorted(gone)
        for key in gone:
            del self.expected[key]

    @rule()
    def procedure_changes(self) -> None:
        self.connection.execute(
            "UPDATE etl.applied_file SET checksum = ''"
            " WHERE scope = 'datamart_users' AND name = 'procedures/histogram.sql'"
        )
        (file,) = deploy.pending(self.connection, [JOB])
        assert deploy.apply(self.connection, file) == len(self.expected)
        self.expected.clear()

    @invariant()
    def ledger_is_as_expected(self) -> None:
        found = {
            key: Held(attempts, state == "quarantined", Outcome(outcome), sqlstate, cycle_id)
            for key, state, attempts, outcome, sqlstate, cycle_id in self.rows(
                "SELECT item_key, state, attempts, outcome, sqlstate, last_cycle_id FROM etl.held"
            )
        }
        assert found == self.expected
        # Every back-off is that of its number of attempts, from the end of its cycle.
        for attempts, waits_s in self.rows(
            "SELECT h.attempts, extract(epoch FROM h.held_until - c.finished_at)::float8"
            " FROM etl.held AS h JOIN etl.cycle AS c ON c.cycle_id = h.last_cycle_id"
        ):
            assert 0.749 * nominal_s(attempts) <= waits_s <= 1.251 * nominal_s(attempts)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(query.encode()).fetchall()

    def run(self, tries: list[tuple[str, int, Try]], max_attempts: int) -> CycleRecord:
        """A cycle as it closes: its queue says what became of the items."""
        record = CycleRecord(JOB.name, datetime.now(UTC), DAY, 10)
        ledger.open_cycle(self.connection, record)
        with (
            tempfile.TemporaryDirectory() as folder,
            closing(FileQueue(Path(folder) / "queue")) as queue,
        ):
            queue.build(["item_key", "level"], [(key, level) for key, level, _ in tries])
            for _, level, (outcome, sqlstate) in tries:
                claim = queue.claim(1)
                assert claim is not None
                queue.acknowledge(1, claim, Result(outcome, 1.0, sqlstate, "why"))
                record.count(Claim(1, "1", level, {}), outcome)
            job = replace(JOB, max_attempts=max_attempts)
            ledger.close_cycle(self.connection, queue, record, job, OpenClaims(), lambda _: None)
        return record

    def expect(
        self, key: str, outcome: Outcome, sqlstate: str, cycle_id: int, max_attempts: int
    ) -> None:
        before = self.expected.get(key)
        if outcome is Outcome.DONE:
            self.expected.pop(key, None)
        if outcome not in (Outcome.FAILED, Outcome.ORPHANED):
            return
        attempts = (before.attempts if before else 0) + 1
        data_errors = sqlstate in DATA_ERRORS and before and before.sqlstate in DATA_ERRORS
        waits_for_person = bool(data_errors) or attempts >= max_attempts
        self.expected[key] = Held(
            attempts,
            waits_for_person or (before is not None and before.is_quarantined),
            outcome,
            sqlstate or None,
            cycle_id,
        )


def test_held_items_add_up_over_any_cycles(connection: Connection) -> None:
    machine = type("Machine", (HeldMachine,), {"connection": connection})
    few = hypothesis_settings(max_examples=60, stateful_step_count=20, deadline=None)
    run_state_machine_as_test(machine, settings=few)


def test_several_attempts_in_one_cycle_count_in_their_order(connection: Connection) -> None:
    """An item may be tried again later in its cycle; what it came to last decides."""
    record = CycleRecord(JOB.name, datetime.now(UTC), DAY, 10)
    cycle_id = ledger.open_cycle(connection, record)
    histories: dict[str, list[str | None]] = {
        "failed, then done": ["57014", None],
        "twice the data": ["22012", "23505"],
        "data, then time": ["22012", "57014"],
        "time, then data": ["57014", "22012"],
    }
    for key, sqlstates in histories.items():
        for second, sqlstate in enumerate(sqlstates):
            connection.execute(
                "INSERT INTO etl.attempt (cycle_id, item_key, level, worker, outcome, finished_at,"
                " sqlstate) VALUES ($1, $2, 1, 1, $3, to_timestamp($4), $5)",
                [cycle_id, key, "failed" if sqlstate else "done", 1000 + second, sqlstate],
            )
    values = {"cycle_id": cycle_id, "job": JOB.name, "now": datetime.now(UTC)}
    db.run(connection, shipped("held/release_done_items"), **values)
    db.run(connection, shipped("held/hold_items"), **values, max_attempts=5)
    rows = connection.execute(
        "SELECT item_key, attempts, state, sqlstate FROM etl.held ORDER BY item_key"
    ).fetchall()
    assert rows == [
        ("data, then time", 2, "held", "57014"),
        ("time, then data", 2, "held", "22012"),
        ("twice the data", 2, "quarantined", "23505"),
    ]
