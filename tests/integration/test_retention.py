"""What the ledger forgets, and what it keeps."""

import pytest

from etl.db import Connection
from tests.conftest import Etl
from tests.faults.conftest import AS_OF


def add_cycles(connection: Connection, job: str, *days_ago: int) -> list[int]:
    """Finished cycles with two attempts each. Returns their numbers."""
    numbers: list[int] = []
    for days in days_ago:
        ((number,),) = connection.execute(
            "INSERT INTO etl.cycle (job, started_at, finished_at, host, pid, etl_version, as_of,"
            " max_items, workers, stop_reason) SELECT $1, at, at, 'h', 1, '0', at::date, 1, 1,"
            " 'drained' FROM (SELECT now() - make_interval(days => $2) AS at) AS t"
            " RETURNING cycle_id",
            [job, days],
        ).fetchall()
        connection.execute(
            "INSERT INTO etl.attempt (cycle_id, item_key, level, worker, outcome, finished_at)"
            " SELECT $1::bigint, key, 1, 1, 'done', now() FROM unnest('{a,b}'::text[]) AS key",
            [number],
        )
        numbers.append(int(number))
    return numbers


def remembered(connection: Connection) -> dict[int, int]:
    """How many attempts each cycle has that has any."""
    found = connection.execute("SELECT cycle_id, count(*) FROM etl.attempt GROUP BY 1").fetchall()
    return {int(number): int(attempts) for number, attempts in found}


def test_a_cycle_forgets_the_attempts_of_old_cycles_of_its_job(
    connection: Connection, etl: Etl
) -> None:
    old, edge, recent = add_cycles(connection, "datamart_users", 400, 91, 89)
    (others,) = add_cycles(connection, "topics", 400)
    assert etl("datamart-users", AS_OF).status == 0
    assert remembered(connection) == {recent: 2, others: 2}
    kept = connection.execute("SELECT cycle_id FROM etl.cycle ORDER BY 1").fetchall()
    assert [number for (number,) in kept][:4] == [old, edge, recent, others]


def test_a_ledger_that_was_never_tidied_is_tidied_bit_by_bit(
    connection: Connection, etl: Etl
) -> None:
    numbers = add_cycles(connection, "datamart_users", *range(150, 125, -1))
    for left in (5, 0):
        assert etl("datamart-users", AS_OF).status == 0
        assert sorted(remembered(connection)) == numbers[len(numbers) - left :]


def test_a_job_that_keeps_its_attempts_for_longer_keeps_no_others(connection: Connection) -> None:
    add_cycles(connection, "topics", 400)
    numbers = add_cycles(connection, "datamart_users", *range(150, 105, -1))
    for left in (25, 5, 0):
        connection.execute("CALL etl.forget_attempts('datamart_users', 90, now())")
        kept = [number for number in remembered(connection) if number in numbers]
        assert len(kept) == left


def test_attempts_may_be_kept_for_longer_than_there_are_dates(connection: Connection) -> None:
    (old,) = add_cycles(connection, "datamart_users", 400)
    connection.execute("CALL etl.forget_attempts('datamart_users', 2147483647, now())")
    assert remembered(connection) == {old: 2}


@pytest.mark.parametrize("days", [0, -1000])
def test_nobody_can_have_it_forget_what_is_new(connection: Connection, days: int) -> None:
    old, _ = add_cycles(connection, "datamart_users", 2, 0)
    future = "now() + interval '1000 days'"
    statement = f"CALL etl.forget_attempts('datamart_users', {days}, {future})"
    connection.execute(statement.encode())
    assert sorted(remembered(connection)) == [old + 1]
