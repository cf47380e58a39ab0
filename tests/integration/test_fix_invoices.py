"""fix_invoices: ranges made of the keys that exist, every invoice right, the bad ones alone."""

import threading
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl import db
from etl.db import Connection, Row
from etl.folders import sql_folder
from etl.sqlfile import Statement, statements
from tests.conftest import Connect, Etl
from tests.waiting import WAITS_FOR_LOCK, until_found

SCALE = 3000
WHOLE = (1 - 2**63, 2**63 - 2)
BAD = [SCALE // 4, SCALE // 2, SCALE]
"""Which of the sample invoices have no rate, by number."""
_BY_NUMBER = "SELECT invoice_id FROM billing.invoices ORDER BY invoice_id"
# By other means than the job's: each row by itself, in another notation.
_WRONG = """
SELECT count(*) FROM billing.invoices WHERE rate IS NOT NULL AND NOT CASE
    WHEN is_service_fee THEN fee_cents = round(rate * base_cents) AND total_cents = fee_cents
    ELSE tax_cents = round(rate * base_cents) AND total_cents = base_cents + tax_cents END
"""
_SOME = """
INSERT INTO billing.invoices (invoice_id, customer, is_service_fee, issued_on, base_cents, rate)
SELECT k, 'c', k % 3 = 0, '2026-01-01', 100, 0.19 FROM unnest($1::bigint[]) AS k
"""
_HELD = """
INSERT INTO etl.held_item (job, item_key, attempts, held_until, last_cycle_id, last_outcome)
SELECT 'fix_invoices', CASE WHEN k % 3 = 0 THEN 'fee:' ELSE 'regular:' END || k, 1, 'infinity', 1,
    'failed' FROM unnest($1::bigint[]) AS k
"""


def file(name: str) -> Statement:
    """A file of the job that is one statement."""
    (statement,) = statements(sql_folder() / "jobs" / "fix_invoices" / name)
    return statement


@pytest.fixture
def billing(connection: Connection) -> Connection:
    """A superuser's connection to a database without an invoice."""
    connection.execute("TRUNCATE billing.invoices")
    return connection


@pytest.fixture
def invoices(billing: Connection) -> Connection:
    """The same with sample invoices."""
    db.run(billing, file("sample.sql"), scale=SCALE)
    return billing


def keys(connection: Connection) -> list[int]:
    return [key for (key,) in connection.execute(_BY_NUMBER).fetchall()]


def wrong(connection: Connection) -> int:
    """How many invoices are wrong that could be right."""
    ((number,),) = connection.execute(_WRONG).fetchall()
    return int(number)


def listed(connection: Connection, window: tuple[int, int], most: int, round_id: int) -> list[Row]:
    """What prioritize.sql lists."""
    values = {"from_key": window[0], "to_key": window[1], "most": most, "round": round_id}
    return db.run(connection, file("prioritize.sql"), **values, now=datetime.now(UTC)).fetchall()


KEYS = st.lists(st.integers(-30, 30) | st.integers(-(2**62), 2**62), max_size=40, unique=True)
STRETCHES = st.lists(st.tuples(st.integers(-35, 35), st.integers(0, 9)), max_size=4)


@given(
    chosen=KEYS,
    most=st.integers(1, 9),
    window=st.just(WHOLE) | st.tuples(st.integers(-40, 0), st.integers(0, 40)),
    done=STRETCHES,
    held=st.sets(st.integers(-30, 30), max_size=3),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_ranges_cover_what_is_left_and_nothing_twice(
    billing: Connection,
    chosen: list[int],
    most: int,
    window: tuple[int, int],
    done: list[tuple[int, int]],
    held: set[int],
) -> None:
    billing.execute("TRUNCATE billing.invoices, etl.done_range, etl.held_item")
    billing.execute(_SOME, [chosen])
    billing.execute(_HELD, [list(held)])
    for first, length in done:
        billing.execute(
            "INSERT INTO etl.done_range (round_id, kind, first_key, last_key, keys, cycle_id)"
            " VALUES (7, 'fee', $1, $2, 1, 1) ON CONFLICT DO NOTHING",
            [first, first + length],
        )
    covered = billing.execute("SELECT first_key, last_key FROM etl.done_range").fetchall()
    rows = listed(billing, window, most, 7)
    for kind, level, is_fee in (("fee", 1, True), ("regular", 2, False)):
        left = [
            key
            for key in sorted(chosen)
            if (key % 3 == 0) is is_fee
            and window[0] <= key <= window[1]
            and not (is_fee and any(first <= key <= last for first, last in covered))
            and (key not in held or window[0] == window[1])  # asked for by name
        ]
        ranges = [row for row in rows if row[3] == kind]
        found = [[key for key in left if first <= key <= last] for *_, first, last in ranges]
        assert [key for part in found for key in part] == left
        assert [len(part) for part in found] == [row[2] for row in ranges]
        assert all(1 <= len(part) <= most for part in found)
        assert {row[1] for row in ranges} <= {level}
    bounds = [bound for row in rows if row[3] == "regular" for bound in row[4:6]]
    assert bounds == sorted(bounds)
    if bounds:  # who comes later is in the last one, up to the next that is held
        ends = [key - 1 for key in held if key % 3 and key > bounds[-2]]
        asked_for = window[0] == window[1]
        assert bounds[-1] == min([window[1], *([] if asked_for else ends)])
    assert [row[1] for row in rows] == sorted(row[1] for row in rows)


def test_a_cycle_repairs_all_but_those_that_nobody_can(invoices: Connection, etl: Etl) -> None:
    bad = {keys(invoices)[number - 1] for number in BAD}
    before = wrong(invoices)
    assert before > SCALE / 4
    told = (
        etl("fix-invoices", "--workers=2", "--json", "--verify")
        .ended(1, found=SCALE, done=SCALE - 3, failed=3)
        .record
    )
    assert wrong(invoices) == 0
    assert {int(item["item_key"].partition(":")[2]) for item in told["wrong_items"]} == bad
    reason = "SELECT item_key, last_sqlstate, last_message FROM etl.held_item"
    held = invoices.execute(reason).fetchall()
    assert {(int(key.partition(":")[2]), *why) for key, *why in held} == {
        (key, "23502", "the invoice has no rate") for key in bad
    }
    repaired = "SELECT count(repaired_at) FROM billing.invoices"
    assert invoices.execute(repaired).fetchall() == [(before,)]
    passes = {remark["what"]: remark["value"] for remark in told["remarks"]}
    assert list(passes) == ["service fees", "other invoices", "the invoice has no rate"]
    assert passes["the invoice has no rate"].startswith("3, such as ")
    invoices.execute("UPDATE billing.invoices SET rate = 0.5 WHERE rate IS NULL")
    assert etl("held", "release", "fix-invoices", "--all").status == 0
    assert etl("fix-invoices", "--json").record["done"] == 3
    assert wrong(invoices) == 0
    versions = invoices.execute("SELECT invoice_id, xmin::text FROM billing.invoices").fetchall()
    assert etl("fix-invoices", "--json").record["done"] == SCALE  # another round
    again = invoices.execute("SELECT invoice_id, xmin::text FROM billing.invoices").fetchall()
    assert sorted(versions) == sorted(again)  # what is right is not written


def test_an_amount_that_does_not_fit_costs_its_own_invoice_only(
    billing: Connection, etl: Etl
) -> None:
    billing.execute(_SOME, [[1, 2, 3, 70, 80, 90]])
    billing.execute("UPDATE billing.invoices SET base_cents = 9e18, rate = 99 WHERE invoice_id = 3")
    etl("fix-invoices", "--json").told(found=6, done=5, failed=1)
    held = billing.execute("SELECT item_key, last_sqlstate FROM etl.held_item").fetchall()
    assert held == [("fee:3", "22003")]
    ((right,),) = billing.execute(
        "SELECT array_agg(invoice_id ORDER BY invoice_id) FROM billing.invoices"
        " WHERE total_cents = CASE WHEN is_service_fee THEN 19 ELSE 119 END"
    ).fetchall()
    assert right == [1, 2, 70, 80, 90]


def test_invoices_that_come_while_it_runs_fail_alone_too(billing: Connection, etl: Etl) -> None:
    """The range that reaches to the end knew of one invoice when it was listed."""
    billing.execute(_SOME, [[3, 70]])
    billing.execute("UPDATE billing.invoices SET rate = NULL WHERE invoice_id = 70")
    billing.execute(
        "CREATE FUNCTION add() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN"
        " INSERT INTO billing.invoices (invoice_id, customer, is_service_fee, issued_on,"
        " base_cents, rate) VALUES (80, 'c', FALSE, '2026-01-01', 100, 0.19),"
        " (82, 'c', FALSE, '2026-01-01', 100, NULL), (83, 'c', FALSE, '2026-01-01', 100, 0.19);"
        " RETURN NULL; END $$"
    )
    billing.execute(
        "CREATE TRIGGER add AFTER UPDATE ON billing.invoices FOR EACH ROW"
        " WHEN (NEW.is_service_fee) EXECUTE FUNCTION add()"
    )
    # One failed without having been found.
    ran = etl("fix-invoices", "--json", "--workers=1").ended(
        1, found=3, done=1, failed=2, remaining=0
    )
    told = ran.record
    held = billing.execute("SELECT item_key FROM etl.held_item ORDER BY item_key").fetchall()
    assert held == [("regular:70",), ("regular:82",)]
    right = "SELECT invoice_id FROM billing.invoices WHERE repaired_at IS NOT NULL ORDER BY 1"
    assert billing.execute(right).fetchall() == [(3,), (80,), (83,)]
    reasons = {remark["what"]: remark["value"] for remark in told["remarks"]}
    assert reasons["the invoice has no rate"] == "2, such as regular:70"


def test_a_window_or_one_key_repairs_these_invoices_alone(invoices: Connection, etl: Etl) -> None:
    few = keys(invoices)[100:200]
    window = ("--from", str(few[0]), "--to", str(few[-1]))
    dry = etl("fix-invoices", "--dry-run", "--json", *window).told(found=100).record
    assert sum(int(remark["value"]) for remark in dry["remarks"]) > 10
    assert all(remark["sample"].startswith("invoice ") for remark in dry["remarks"])
    before = wrong(invoices)
    assert etl("fix-invoices", *window).status == 0
    some = before - wrong(invoices)
    assert some == sum(int(remark["value"]) for remark in dry["remarks"])
    one = invoices.execute("SELECT invoice_id FROM billing.wrong_invoices LIMIT 1").fetchall()[0][0]
    assert etl("fix-invoices", "--only", str(one), "--json").record["done"] == 1
    assert wrong(invoices) == before - some - 1


def test_a_change_while_a_batch_waits_for_it_is_in_the_result(
    invoices: Connection, connect_again: Connect
) -> None:
    ((key,),) = invoices.execute(
        "SELECT min(invoice_id) FROM billing.wrong_invoices WHERE kind = 'regular'"
    ).fetchall()
    batch = connect_again()
    invoices.execute("BEGIN")
    invoices.execute("UPDATE billing.invoices SET base_cents = 777 WHERE invoice_id = $1", [key])
    values = {"kind": "regular", "first_key": key, "last_key": key}
    working = threading.Thread(target=lambda: db.run(batch, file("process.sql"), **values))
    working.start()
    until_found(invoices, WAITS_FOR_LOCK)
    invoices.execute("COMMIT")
    working.join()
    amounts = invoices.execute(
        "SELECT tax_cents, total_cents FROM billing.invoices WHERE invoice_id = $1", [key]
    ).fetchall()
    assert amounts == [(148, 925)]  # 19 % of 777


def test_an_invoice_that_somebody_holds_is_left_for_later(invoices: Connection, etl: Etl) -> None:
    ((key,),) = invoices.execute(
        "SELECT min(invoice_id) FROM billing.wrong_invoices WHERE kind = 'regular'"
    ).fetchall()
    invoices.execute("BEGIN")
    invoices.execute("SELECT FROM billing.invoices WHERE invoice_id = $1 FOR UPDATE", [key])
    etl("fix-invoices", "--json", "--workers=1").told(done=SCALE - 4, failed=3, busy=1)
    invoices.execute("ROLLBACK")
    assert etl("fix-invoices", "--json").record["done"] == 1
    assert wrong(invoices) == 0
