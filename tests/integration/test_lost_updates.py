"""No update is lost: a rival steps between the statements of a refresh."""

from collections.abc import Callable

import psycopg
import pytest

from etl.db import Connection
from tests.conftest import Connect
from tests.gates import open_gate, put_gate, shut_gate
from tests.support import add_facts, add_users, closed, dirty, opened, refresh, user_ids
from tests.waiting import WAITS_AT_GATE, until_found


@pytest.fixture
def ana(connection: Connection) -> int:
    """A clean user with one fact; bo is a second user."""
    add_users(connection, "ana", "bo")
    add_facts(connection, [opened(1, "2026-01-10 10:00", "ana")])
    return user_ids(connection)["ana"]


def opened_total(connection: Connection, user: int) -> int:
    row = connection.execute(
        "SELECT opened_total FROM dwh.datamart_users WHERE dimension_user_id = $1", [user]
    ).fetchone()
    return int(row[0]) if row else 0


class Paused:
    """A refresh that has read the facts and waits before it writes."""

    def __init__(self, rival: Connection, gate: Connection, user: int) -> None:
        self._gate, self._rival = gate, rival
        shut_gate(gate)
        self._sent = rival.pgconn
        self._sent.send_query(b"CALL dwh.update_datamart_user(%d, '2026-01-16')" % user)
        self._sent.flush()
        until_found(gate, WAITS_AT_GATE)

    def finish(self) -> str:
        """Let it go on. Returns its SQLSTATE, empty where it succeeded."""
        open_gate(self._gate)
        state = ""
        while (result := self._sent.get_result()) is not None:
            field = result.error_field(psycopg.pq.DiagnosticField.SQLSTATE)
            state = field.decode() if field else state
        return state


@pytest.fixture
def pause(connection: Connection, connect_again: Connect) -> Callable[[int], Paused]:
    """Pauses a refresh after it has read the facts, before it clears the mark."""
    put_gate(connection, "dwh.datamart_users")
    return lambda user: Paused(connect_again(), connect_again(), user)


@pytest.fixture
def paused(pause: Callable[[int], Paused], ana: int) -> Paused:
    """A refresh of ana, paused."""
    return pause(ana)


def test_an_undisturbed_refresh_clears_the_mark(connection: Connection, ana: int) -> None:
    refresh(connection, ana)
    assert "ana" not in dirty(connection)


def test_a_fact_that_commits_in_between_leaves_the_user_dirty(
    connection: Connection, ana: int, paused: Paused
) -> None:
    add_facts(connection, [opened(2, "2026-01-11 10:00", "ana")])
    assert paused.finish() == ""
    assert "ana" in dirty(connection)
    assert opened_total(connection, ana) == 1
    refresh(connection, ana)
    assert (opened_total(connection, ana), dirty(connection)) == (2, {"bo"})


@pytest.mark.parametrize("is_closed", [False, True], ids=["plain update", "closed by bo"])
def test_another_change_of_a_dirty_user_in_between_leaves_it_dirty(
    connection: Connection, paused: Paused, is_closed: bool
) -> None:
    if is_closed:
        add_facts(connection, [closed(1, "2026-01-12 10:00", "bo", "ana")])
    else:
        connection.execute("UPDATE dwh.dimension_users SET modified = TRUE WHERE username = 'ana'")
    assert paused.finish() == ""
    assert "ana" in dirty(connection)


def test_a_loader_that_has_not_committed_makes_the_refresh_busy(
    connection: Connection, ana: int, paused: Paused
) -> None:
    with connection.transaction():
        add_facts(connection, [opened(2, "2026-01-11 10:00", "ana")])
        assert paused.finish() == "55P03"
    assert "ana" in dirty(connection)
    assert opened_total(connection, ana) == 0


def test_a_loader_that_rolls_back_leaves_everything_as_it_was(
    connection: Connection, ana: int, paused: Paused
) -> None:
    with connection.transaction(force_rollback=True):
        add_facts(connection, [opened(2, "2026-01-11 10:00", "ana")])
    assert paused.finish() == ""
    assert "ana" not in dirty(connection)
    assert opened_total(connection, ana) == 1


def test_a_loader_never_waits_for_a_refresh_that_computes(
    connection: Connection, ana: int, paused: Paused
) -> None:
    connection.execute("SET lock_timeout = '1ms'")
    add_facts(connection, [opened(2, "2026-01-11 10:00", "ana")])
    connection.execute("UPDATE dwh.dimension_users SET modified = TRUE WHERE username = 'ana'")
    connection.execute("RESET lock_timeout")
    paused.finish()


def test_a_second_refresh_of_the_same_user_is_busy_and_does_not_wait(
    connection: Connection, ana: int, paused: Paused
) -> None:
    connection.execute("SET lock_timeout = '1ms'")  # to wait would be another error
    with pytest.raises(psycopg.errors.LockNotAvailable, match="being refreshed by another"):
        refresh(connection, ana)
    assert paused.finish() == ""
    assert "ana" not in dirty(connection)


def test_a_user_dirty_by_the_clock_keeps_a_mark_set_in_between(
    connection: Connection, ana: int, pause: Callable[[int], Paused]
) -> None:
    refresh(connection, ana)
    again = pause(ana)
    connection.execute("UPDATE dwh.dimension_users SET modified = TRUE WHERE username = 'ana'")
    assert again.finish() == ""
    assert "ana" in dirty(connection)


def test_result_and_clearing_roll_back_together(connection: Connection, ana: int) -> None:
    with connection.transaction(force_rollback=True):
        refresh(connection, ana)
        assert "ana" not in dirty(connection)
    assert "ana" in dirty(connection)
    assert opened_total(connection, ana) == 0


def test_a_user_marked_in_between_counts_as_dirty_since_then(
    connection: Connection, ana: int, paused: Paused
) -> None:
    connection.execute("UPDATE dwh.dimension_users SET dirty_since = '2020-01-01'")
    connection.execute("UPDATE dwh.dimension_users SET modified = TRUE WHERE username = 'ana'")
    assert paused.finish() == ""
    still_old = connection.execute(
        "SELECT username FROM dwh.dimension_users WHERE modified AND dirty_since < '2021-01-01'"
    ).fetchall()
    assert still_old == [("bo",)]
