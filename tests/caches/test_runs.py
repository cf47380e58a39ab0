"""`etl cache-warm`: runs, failures, changes meanwhile, what a payload is."""

import threading

import psycopg
import pytest

from etl import db
from etl.db import Connection
from tests.caches.warming import (
    DASHBOARDS,
    DIGITAL,
    GENERAL,
    TAGS,
    TOPICS,
    add_entry,
    cache_job,
    entries_today,
    listed,
    one,
    warm,
    warm_all,
    wrong,
)
from tests.conftest import Connect, Etl
from tests.gates import open_gate, put_gate, shut_gate
from tests.waiting import WAITS_AT_GATE, until_found

LARGEST = 2**63 - 1


def test_a_run_warms_everything_and_the_next_one_nothing(etl: Etl, connection: Connection) -> None:
    record = etl("cache-warm", "--workers=2", "--json").ended(0, found=342, done=342).record
    levels = [(level["name"], level["done"]) for level in record["levels"]]
    assert levels == [("dashboards", TOPICS * len(DASHBOARDS)), ("tags", TAGS)]
    assert one(connection, "SELECT count(*) FROM cache.warmed") == 342
    assert wrong(connection) == []
    assert etl("cache-warm", "--json").record["found"] == 0


def test_the_options_say_what_a_run_is_about(etl: Etl, connection: Connection) -> None:
    warm(connection, *listed(connection))
    add_entry(connection, 9)
    runs: list[tuple[list[str], int, int, int]] = [  # arguments, found, left, cached afterwards
        (["--clear", "--topic", "5"], 4, 0, 338),
        (["--item", "tag:7", "--clear"], 1, 0, 337),
        (["--stale-only"], 2, 0, 337),
        (["--topic", "5", "--max-items", "3"], 4, 1, 340),
        (["--refresh", "--dashboards-only"], 292, 0, 341),
        (["--clear"], 341, 0, 0),
    ]
    for arguments, found, left, cached in runs:
        ran = etl("cache-warm", "--json", *arguments).ended(0, found=found)
        assert sum(level.get("left") or 0 for level in ran.record["levels"]) == left, arguments
        assert one(connection, "SELECT count(*) FROM cache.warmed") == cached, arguments
    etl("cache-warm", "--topic", "99").ended(2, "no topic has the id '99'")


def test_a_failing_topic_is_named_and_the_others_go_on(etl: Etl, connection: Connection) -> None:
    connection.execute("UPDATE cache.topics SET name = 'Water' WHERE topic_id = 7")
    add_entry(connection, 7, "twitter", LARGEST)
    add_entry(connection, 7, "twitter", LARGEST)
    ran = etl("cache-warm", "--workers=2", "--json").ended(1, done=340, failed=2)
    for key in ("topic:7/twitter", "topic:7/general"):
        assert f"item {key} failed: topic 7 (Water): bigint out of range [22003]" in ran.err
    assert listed(connection) == []  # held
    assert len(listed(connection, refresh="true")) == 340
    summary = cache_job().summary_of_cycle
    assert summary is not None
    assert dict(db.run(connection, summary, cycle_id=ran.record["cycle_id"]).fetchall()) == {
        "topics ok": "72",
        "topics failed": "1",
        "dashboards": "290",
        "tags ok": "50",
        "tags failed": "0",
        "items cached": "340",
        "topic 7 (Water)": "failed: bigint out of range [22003] (general, twitter)",
    }
    etl("cache-warm", "--item", "topic:7/general").ended(
        1, "topic 7 (Water): bigint out of range [22003]"
    )
    for key, reason in (
        ("topic:99/general", "no topic has the id 99"),
        ("tag:99", "no tag has the id 99"),
        ("topic:1/radio", "there is no item 'topic:1/radio'"),
        ("topic:1/digital; --", "there is no item"),
    ):
        with pytest.raises(psycopg.Error, match=reason):
            warm(connection, key)


@pytest.mark.parametrize("number", [1, 3])
def test_a_change_while_its_item_is_warmed_is_not_lost(
    connection: Connection, connect_again: Connect, number: int
) -> None:
    """The change commits after the payload was computed, before it is committed; several times."""
    warm_all(connection)
    before = entries_today(connection, DIGITAL)
    put_gate(connection, "cache.warmed")
    add_entry(connection, 1)
    shut_gate(connection)
    worker = threading.Thread(target=warm, args=(connect_again(), DIGITAL))
    worker.start()
    until_found(connection, WAITS_AT_GATE)
    for _ in range(number):
        add_entry(connection, 1)
    open_gate(connection)
    worker.join()
    assert entries_today(connection, DIGITAL) == before + 1
    assert sorted(listed(connection, stale_only="true")) == [DIGITAL, GENERAL]
    warm_all(connection)
    assert entries_today(connection, DIGITAL) == before + 1 + number
    assert (listed(connection), wrong(connection)) == ([], [])


def test_a_change_that_has_not_committed_stays_for_later_and_nobody_waits(
    connection: Connection, connect_again: Connect
) -> None:
    warm_all(connection)
    before = entries_today(connection, DIGITAL)
    connection.execute("BEGIN")
    add_entry(connection, 1)
    worker = connect_again()
    worker.execute("SET lock_timeout = '10ms'")
    warm(worker, DIGITAL)
    connection.execute("COMMIT")
    assert entries_today(connection, DIGITAL) == before
    assert sorted(listed(connection)) == [DIGITAL, GENERAL]


def test_an_item_is_warmed_by_one_at_a_time_and_others_meanwhile(
    connection: Connection, connect_again: Connect
) -> None:
    worker, rival = connect_again(), connect_again()
    worker.execute("BEGIN")
    warm(worker, DIGITAL)
    with pytest.raises(psycopg.errors.LockNotAvailable, match=f"{DIGITAL} is being warmed"):
        warm(rival, DIGITAL)
    warm(rival, GENERAL)
    worker.execute("COMMIT")
    warm(rival, DIGITAL)
    assert one(connection, "SELECT count(*) FROM cache.warmed") == 2


def test_a_topic_that_is_no_longer_active_or_there_loses_its_payloads(
    connection: Connection,
) -> None:
    warm_all(connection)
    connection.execute("UPDATE cache.topics SET is_active = FALSE WHERE topic_id = 1")
    connection.execute("DELETE FROM cache.topics WHERE topic_id = 2")
    connection.execute("DELETE FROM cache.tags WHERE tag_id = 3")
    gone = {f"topic:{topic}/{dashboard}" for topic in (1, 2) for dashboard in DASHBOARDS}
    assert gone | {"tag:3"} <= set(listed(connection))
    warm_all(connection)
    assert one(connection, "SELECT count(*) FROM cache.warmed") == 342 - 9
    assert (listed(connection), wrong(connection)) == ([], [])
    with pytest.raises(psycopg.errors.NoDataFound, match=r"topic 1 \(Sample topic 01\) is not"):
        warm(connection, DIGITAL)


@pytest.mark.parametrize(
    "damage",
    [
        "payload = jsonb_set(payload, '{windows,today,reach}', '-1')",
        "payload = jsonb_set(payload, '{days,3}', '[]')",
        "payload = jsonb_set(payload, '{top_tags}', '[]')",
        "payload = jsonb_set(payload, '{top_entries,0}', '{}')",
        "payload = jsonb_set(payload, '{sources}', '{}')",
        'payload = payload || \'{"topic": "Fire"}\'',
        "entries = entries + 1",
        "newest_at = newest_at - interval '1 day'",
        "newest_at = NULL",
    ],
)
def test_verify_finds_a_wrong_payload(connection: Connection, damage: str) -> None:
    warm(connection, GENERAL, "tag:1")
    assert wrong(connection) == []
    connection.execute(f"UPDATE cache.warmed SET {damage} WHERE item_key = $1".encode(), [GENERAL])
    assert [key for key, _ in wrong(connection)] == [GENERAL]


def test_a_payload_is_the_same_wherever_who_warms_it_is(connection: Connection) -> None:
    """On that Friday Cairo had no midnight."""
    as_of = "2026-04-30"
    connection.execute("SET TimeZone = 'Africa/Cairo'")
    connection.execute("CALL cache.warm($1, $2)", [GENERAL, as_of])
    assert one(connection, "SELECT payload #>> '{days,29,0}' FROM cache.warmed") == as_of
    assert db.run(connection, cache_job().verify, as_of=as_of).fetchall() == []
