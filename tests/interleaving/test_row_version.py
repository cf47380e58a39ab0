"""What else touches a row's version, and must neither hide a change nor look like one."""

import pytest

from etl.db import Connection
from tests.conftest import Connect
from tests.interleaving.stepping import COMPUTE, Observer, Session, State, install_gates
from tests.support import DAY, add_facts, add_users, dirty, opened, refresh, user_ids


@pytest.fixture
def ana(connection: Connection) -> int:
    """A dirty user with one fact, and bo, who is clean, as everybody else."""
    add_users(connection, "ana", "bo")
    add_facts(connection, [opened(1, "2026-01-10 10:00", "ana")])
    refresh(connection, user_ids(connection)["bo"])
    install_gates(connection)
    return user_ids(connection)["ana"]


class Computed:
    """A refresh that has computed and has not locked the row yet."""

    def __init__(self, connection: Connection, rival: Connection, user: int) -> None:
        self._session = Session(rival, Observer(connection))
        Observer(connection).close_gates(self._session.pid, (COMPUTE,))
        self._session.send(f"CALL dwh.update_datamart_user({user}, '{DAY}')")
        assert self._session.settle() is State.AT_GATE

    def finish(self) -> str:
        """Let it end. Returns its SQLSTATE, empty where it succeeded."""
        self._session.pass_gate()
        assert self._session.settle() is State.IDLE
        return self._session.sqlstate


@pytest.fixture
def computed(connection: Connection, connect_again: Connect, ana: int) -> Computed:
    """A refresh of ana on the way."""
    return Computed(connection, connect_again(), ana)


def is_frozen(connection: Connection) -> bool:
    """No row of dwh.dimension_users still counts as written by a transaction of late."""
    row = connection.execute(
        "SELECT age(c.relfrozenxid) < (SELECT min(age(u.xmin)) FROM dwh.dimension_users AS u)"
        " FROM pg_class AS c WHERE c.oid = 'dwh.dimension_users'::regclass"
    ).fetchone()
    return bool(row and row[0])


def test_a_row_that_is_frozen_in_between_has_not_changed(
    connection: Connection, computed: Computed
) -> None:
    connection.execute("VACUUM (FREEZE, DISABLE_PAGE_SKIPPING) dwh.dimension_users")
    assert is_frozen(connection)
    assert computed.finish() == ""
    assert dirty(connection) == set()


def test_a_mark_is_noticed_where_the_table_is_vacuumed_before_and_after_it(
    connection: Connection, computed: Computed
) -> None:
    connection.execute("VACUUM (FREEZE) dwh.dimension_users")
    connection.execute("UPDATE dwh.dimension_users SET modified = TRUE WHERE username = 'ana'")
    connection.execute("VACUUM (FREEZE) dwh.dimension_users")
    assert computed.finish() == ""
    assert dirty(connection) == {"ana"}


def test_row_locks_of_several_transactions_at_once_are_no_change(
    connection: Connection, connect_again: Connect, computed: Computed
) -> None:
    holders = [connect_again(), connect_again()]
    for holder in holders:
        holder.execute("BEGIN")
        holder.execute("SELECT FROM dwh.dimension_users FOR KEY SHARE")
    assert computed.finish() == ""
    for holder in holders:
        holder.execute("COMMIT")
    assert dirty(connection) == set()


def test_a_user_deleted_in_between_gets_no_row(connection: Connection, computed: Computed) -> None:
    connection.execute("DELETE FROM dwh.dimension_users WHERE username = 'ana'")
    assert computed.finish() == "P0002"
    assert connection.execute("SELECT FROM dwh.datamart_users").rowcount == 1


def test_a_fact_of_the_same_transaction_before_the_refresh_is_in_the_row(
    connection: Connection, ana: int
) -> None:
    with connection.transaction():
        add_facts(connection, [opened(2, "2026-01-11 10:00", "ana")])
        refresh(connection, ana)
    totals = connection.execute("SELECT max(opened_total) FROM dwh.datamart_users").fetchone()
    assert (totals, dirty(connection)) == ((2,), set())


def test_a_fact_of_the_same_transaction_after_the_refresh_leaves_the_user_dirty(
    connection: Connection, ana: int
) -> None:
    with connection.transaction():
        refresh(connection, ana)
        add_facts(connection, [opened(2, "2026-01-11 10:00", "ana")])
    assert dirty(connection) == {"ana"}


def test_refreshes_and_marks_take_turns_in_one_transaction(
    connection: Connection, ana: int
) -> None:
    with connection.transaction():
        for _ in range(2):
            refresh(connection, ana)
            assert dirty(connection) == set()
            connection.execute(
                "UPDATE dwh.dimension_users SET modified = TRUE WHERE username = 'ana'"
            )
        refresh(connection, ana)
    assert dirty(connection) == set()


def test_a_refresh_undone_to_a_savepoint_frees_the_user_and_leaves_it_dirty(
    connection: Connection, connect_again: Connect, ana: int
) -> None:
    with connection.transaction():
        with connection.transaction(force_rollback=True):
            refresh(connection, ana)
        assert dirty(connection) == {"ana"}
        refresh(connect_again(), ana)
    assert dirty(connection) == set()


def test_a_loader_in_between_does_not_hide_behind_its_own_savepoints(
    connection: Connection, computed: Computed
) -> None:
    with connection.transaction():
        for _ in range(3):
            with connection.transaction():
                connection.execute("UPDATE dwh.dimension_users SET modified = TRUE")
        with connection.transaction(force_rollback=True):
            connection.execute("UPDATE dwh.dimension_users SET modified = FALSE")
    assert computed.finish() == ""
    assert "ana" in dirty(connection)


def test_a_refresh_on_a_hot_chain_that_was_pruned_in_between_clears(
    connection: Connection, computed: Computed
) -> None:
    """A rolled-back mark leaves a dead version on the page; VACUUM takes it away."""
    with connection.transaction(force_rollback=True):
        connection.execute("UPDATE dwh.dimension_users SET modified = TRUE")
    connection.execute("VACUUM dwh.dimension_users")
    assert computed.finish() == ""
    assert dirty(connection) == set()
