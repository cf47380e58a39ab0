"""The supervisor's connection: lost, found again, and the lock between hosts with it."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from etl import db
from etl.cycle.link import Link
from etl.errors import CycleRunningError, DatabaseUnreachableError
from etl.events import ConnectionFound, ConnectionLost, Event
from etl.lock import lock_database
from etl.sqlfile import shipped
from tests.conftest import RUNNER, Address, Connect
from tests.faults.proxy import Proxy
from tests.waiting import until_gone

JOB = "datamart-users"


@pytest.fixture
def proxy(server_address: Address) -> Iterator[Proxy]:
    with Proxy(Path(server_address.host) / f".s.PGSQL.{server_address.port}") as proxy:
        yield proxy


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
def link(proxy: Proxy, connection: db.Connection, told: list[Event]) -> Iterator[Link]:
    """A link that holds the lock."""
    target = db.Target.parse(proxy.dsn(connection.info.dbname, RUNNER))
    with closing(Link(target, JOB, told.append)) as link:
        link.lock()
        yield link


def ask(connection: db.Connection) -> None:
    assert db.one(connection, shipped("deploy/has_ledger")) == (True,)


def insist(link: Link) -> None:
    link.insist(ask, lambda: False)


def test_a_connection_that_is_cut_is_found_again_with_its_lock(
    link: Link, proxy: Proxy, connect_again: Connect, told: list[Event]
) -> None:
    proxy.cut()
    insist(link)
    assert [type(event) for event in told] == [ConnectionLost, ConnectionFound]
    with pytest.raises(CycleRunningError):
        lock_database(connect_again(), JOB)


def test_a_lock_that_the_server_keeps_for_a_lost_session_is_freed(
    link: Link, proxy: Proxy, connection: db.Connection, told: list[Event]
) -> None:
    """The session is silent, not closed: its server process lives on and has the lock."""
    proxy.freeze()
    assert not link.attempt(ask, answer_s=0.1)
    sessions = "SELECT FROM pg_stat_activity WHERE application_name = $1"
    assert connection.execute(sessions, [f"etl:{JOB}"]).rowcount == 1
    insist(link)
    assert [type(event) for event in told] == [ConnectionLost, ConnectionFound]


def test_another_host_that_was_faster_is_left_alone(
    link: Link, proxy: Proxy, connect_again: Connect, connection: db.Connection
) -> None:
    other = connect_again()
    proxy.cut()
    until_gone(
        connection,
        "SELECT FROM pg_locks WHERE locktype = 'advisory' AND database ="
        " (SELECT oid FROM pg_database WHERE datname = current_database())",
    )
    assert lock_database(other, JOB) is not None
    with pytest.raises(CycleRunningError, match="another cycle of datamart-users is running"):
        insist(link)
    assert other.execute("SELECT 1").fetchall() == [(1,)]


def test_another_session_of_the_same_number_is_no_ghost(
    connect_again: Connect, connection: db.Connection
) -> None:
    """After a restart of the server its processes may have the numbers of those before."""
    other = connect_again()
    holder = lock_database(other, JOB)
    assert holder is not None
    ghost = holder._replace(since="2026-01-16T03:00:00Z")
    with pytest.raises(CycleRunningError):
        lock_database(connection, JOB, ghost)
    assert other.execute("SELECT 1").fetchall() == [(1,)]


def test_nobody_insists_longer_than_a_person_is_patient(link: Link, proxy: Proxy) -> None:
    proxy.refuse()
    proxy.cut()
    asked: list[bool] = []

    def is_enough() -> bool:
        asked.append(True)
        return len(asked) > 2

    with pytest.raises(DatabaseUnreachableError):
        link.insist(ask, is_enough)
    assert len(asked) == 3
