"""Somebody writes names and facts past dwh.merge_notes() while it runs."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from etl.db import Connection
from tests.conftest import Connect
from tests.support import add_facts, add_users, closed, dirty, opened
from tests.waiting import WAITS_FOR_LOCK, until_found

MERGE = "CALL dwh.merge_notes(NULL, NULL, NULL, NULL, NULL, NULL)"


def merge(loader: Connection) -> tuple[int, ...]:
    """Load note 1, opened by ana and closed by bo."""
    with loader.transaction():
        loader.execute("CALL dwh.stage_notes()")
        loader.execute(
            "INSERT INTO pg_temp.staged_notes VALUES"
            " (1, 'Peru', '2026-01-10 10:00', '2026-01-13 11:00', 'ana', 'bo')"
        )
        (row,) = loader.execute(MERGE).fetchall()
    return tuple(row)


@pytest.mark.parametrize("name", ["ana", "bo"])
def test_a_name_that_a_rival_adds_meanwhile_is_taken_from_there(
    connection: Connection, connect_again: Connect, name: str
) -> None:
    rival, loader = connect_again(), connect_again()
    with ThreadPoolExecutor() as pool:
        with rival.transaction():
            add_users(rival, name)
            merged = pool.submit(merge, loader)
            until_found(connection, WAITS_FOR_LOCK)
        assert merged.result() == (1, 1, 0, 1, 2, 2)
    assert dirty(connection) == {"ana", "bo"}


def test_an_opening_that_a_rival_adds_meanwhile_is_the_note_s(
    connection: Connection, connect_again: Connect
) -> None:
    add_users(connection, "cy")
    rival, loader = connect_again(), connect_again()
    with ThreadPoolExecutor() as pool:
        with rival.transaction():
            add_facts(rival, [opened(1, "2026-01-11 12:00", "cy")])
            merged = pool.submit(merge, loader)
            until_found(connection, WAITS_FOR_LOCK)
        assert merged.result() == (0, 1, 0, 2, 2, 3)
    facts = connection.execute(
        "SELECT f.action::text, u.username, o.username, f.days_to_resolution"
        " FROM dwh.facts AS f"
        " JOIN dwh.dimension_users AS u ON u.dimension_user_id = f.action_dimension_id_user"
        " JOIN dwh.dimension_users AS o ON o.dimension_user_id = f.opened_dimension_id_user"
    ).fetchall()
    assert sorted(facts) == [("closed", "bo", "cy", 1), ("opened", "cy", "cy", None)]


def test_a_load_whose_snapshot_cannot_show_the_rival_s_fact_fails_whole(
    connection: Connection, connect_again: Connect
) -> None:
    rival, loader = connect_again(), connect_again()
    loader.execute("SET default_transaction_isolation = 'repeatable read'")
    add_users(connection, "ana", "bo")
    with ThreadPoolExecutor() as pool:
        with rival.transaction():
            add_facts(rival, [closed(1, "2026-01-13 11:00", "bo", "ana")])
            merged = pool.submit(merge, loader)
            until_found(connection, WAITS_FOR_LOCK)
        with pytest.raises(psycopg.errors.UniqueViolation):
            merged.result()
    assert connection.execute("SELECT FROM dwh.facts").rowcount == 1
