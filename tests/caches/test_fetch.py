"""cache.fetch: readers find a whole payload at any moment, wait for nobody, and are counted."""

from collections.abc import Generator

import psycopg
import pytest

from etl.db import Connection, Target, connect
from tests.caches.warming import DASHBOARDS, DIGITAL, add_entry, listed, one, warm
from tests.conftest import READER, Connect

FETCH = "SELECT cache.fetch(1, 'digital')"
COUNTED = "SELECT coalesce(sum(reads), 0) FROM cache.hit WHERE item_key = 'topic:1/digital'"
TOAST = "SELECT string_agg(xmin::text, ' ' ORDER BY chunk_id, chunk_seq) FROM pg_toast.pg_toast_{}"


@pytest.fixture
def reader(dsn: str) -> Generator[Connection]:
    """Somebody who shows dashboards."""
    with connect(Target.parse(f"{dsn} user={READER}"), "reader") as connected:
        yield connected


def test_a_payload_is_fetched_by_key(connection: Connection, reader: Connection) -> None:
    assert one(reader, FETCH) is None
    warm(connection, "tag:5", *(f"topic:1/{dashboard}" for dashboard in DASHBOARDS))
    for dashboard in DASHBOARDS:
        payload = one(reader, f"SELECT cache.fetch(1, '{dashboard}')")
        assert (payload["topic"], payload["dashboard"]) == ("Sample topic 01", dashboard)
    assert one(reader, "SELECT cache.fetch_tag(5)")["tag"] == "Sample tag 05"
    assert one(reader, "SELECT cache.fetch(99, 'digital')") is None
    assert one(connection, COUNTED) == 1


def test_readers_find_the_old_payload_until_the_new_one_is_there(
    connection: Connection, reader: Connection, connect_again: Connect
) -> None:
    warm(connection, DIGITAL)
    old = one(reader, FETCH)
    add_entry(connection, 1)
    reader.execute("SET lock_timeout = '10ms'")
    worker = connect_again()
    for replacing in ("CALL cache.warm($1)", "CALL cache.warm($1, clear => true)"):
        worker.execute("BEGIN")
        worker.execute(replacing.encode(), [DIGITAL])
        assert one(reader, FETCH) == old
        worker.execute("ROLLBACK")
    warm(worker, DIGITAL)
    new = one(reader, FETCH)
    assert new["windows"]["today"]["entries"] == old["windows"]["today"]["entries"] + 1


def test_a_refresh_replaces_row_by_row_and_a_clear_removes(connection: Connection) -> None:
    warm(connection, *listed(connection))
    before = one(connection, "SELECT max(computed_at) FROM cache.warmed")
    for key in listed(connection, refresh="true"):
        warm(connection, key)
        assert one(connection, "SELECT count(*) FROM cache.warmed") == 342
    assert one(connection, "SELECT min(computed_at) FROM cache.warmed") > before
    for key in listed(connection, clear="true"):
        connection.execute("CALL cache.warm($1, clear => true)", [key])
    assert one(connection, "SELECT count(*) FROM cache.warmed") == 0
    assert (len(listed(connection)), listed(connection, clear="true")) == (342, [])


def test_reads_are_counted_and_nobody_waits(
    connection: Connection, connect_again: Connect, reader: Connection
) -> None:
    warm(connection, DIGITAL)
    for one_of_many in (connect_again(), connect_again(), reader):
        one_of_many.execute("SET lock_timeout = '10ms'")
        one_of_many.execute("BEGIN")
        one(one_of_many, FETCH)
        warm(connection, DIGITAL)  # what has not committed is counted another time
        if one_of_many is reader:
            one_of_many.execute("ROLLBACK")
    assert one(connection, COUNTED) == 0
    for _ in range(7):
        one(reader, FETCH)
    assert one(connection, COUNTED) == 7
    warm(connection, DIGITAL)
    assert one(connection, COUNTED) == 0
    assert one(connection, "SELECT hits FROM cache.warmed") == 7


def test_a_reader_that_may_not_write_is_not_counted(
    connection: Connection, reader: Connection
) -> None:
    warm(connection, DIGITAL)
    reader.execute("SET default_transaction_read_only = on")
    assert one(reader, FETCH)["dashboard"] == "digital"
    assert one(connection, COUNTED) == 0


def test_of_what_is_read_often_one_in_many_is_counted_for_all(connection: Connection) -> None:
    warm(connection, DIGITAL)
    connection.execute("UPDATE cache.warmed SET hits = 50999")
    connection.execute("SELECT setseed(0.5)")
    often = "SELECT count(cache.fetch(1, 'digital')) FROM generate_series(1, 5000)"
    assert one(connection, often) == 5000
    assert one(connection, "SELECT DISTINCT reads FROM cache.hit") == 50
    # By lot, with this seed always the same: 100 are expected, 10 is one standard deviation.
    assert 70 < one(connection, "SELECT count(*) FROM cache.hit") < 130


def test_a_removed_item_is_warmed_again_in_its_place(connection: Connection) -> None:
    warm(connection, "topic:30/general", "topic:40/general")
    connection.execute("UPDATE cache.warmed SET hits = key")
    connection.execute("CALL cache.warm('topic:30/general', clear => true)")
    connection.execute("CALL cache.warm('topic:40/general', clear => true)")
    assert listed(connection)[:2] == ["topic:40/general", "topic:30/general"]
    warm(connection, "topic:40/general")
    assert one(connection, "SELECT hits FROM cache.warmed") == 40


def test_what_has_only_expired_is_not_written_again(connection: Connection) -> None:
    warm(connection, DIGITAL)
    toast = TOAST.format(one(connection, "SELECT 'cache.warmed'::regclass::oid"))
    stored, expired = one(connection, toast), "UPDATE cache.warmed SET expires_at = now()"
    assert stored
    connection.execute(expired.encode())
    warm(connection, DIGITAL)
    assert one(connection, "SELECT expires_at > now() + interval '50 minutes' FROM cache.warmed")
    assert one(connection, toast) == stored
    add_entry(connection, 1)
    warm(connection, DIGITAL)
    assert one(connection, toast) != stored


def test_only_the_roles_may_fetch(connection: Connection, dsn: str) -> None:
    connection.execute(
        "DO $$ BEGIN CREATE ROLE somebody LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    )
    with (
        connect(Target.parse(f"{dsn} user=somebody"), "tests") as nobody,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        one(nobody, FETCH)
