"""`etl cache-warm`: what is dirty, who is marked, what the options mean, the order."""

import psycopg
import pytest

from etl import db
from etl.db import Connection, Target, connect
from etl.errors import FileError
from tests.caches.warming import (
    DASHBOARDS,
    DIGITAL,
    GENERAL,
    TAGS,
    TOPICS,
    add_entry,
    cache_job,
    listed,
    today,
    values,
    warm,
    warm_all,
)
from tests.conftest import READER
from tests.integration.test_plans import explain, rows


def marked(connection: Connection) -> set[str]:
    """The keys of the marks, which are then deleted."""
    return {str(key) for (key,) in connection.execute("DELETE FROM cache.mark RETURNING item_key")}


def test_what_is_dirty_and_why(connection: Connection) -> None:
    warm_all(connection)
    assert listed(connection) == []
    for key, column in (
        ("tag:1", "expires_at = now() - interval '1 second'"),
        ("tag:2", "expires_at = now() + interval '9 minutes'"),
        ("tag:3", "expires_at = now() + interval '11 minutes'"),
        ("tag:4", "as_of = as_of - 1"),
    ):
        connection.execute(f"UPDATE cache.warmed SET {column} WHERE item_key = '{key}'".encode())
    connection.execute("DELETE FROM cache.warmed WHERE item_key IN ('tag:5', $1)", [DIGITAL])
    db.run(connection, cache_job().mark, item_key=GENERAL)
    found = connection.execute(
        "SELECT item_key, reason FROM cache.dirty_items($1, now())", [today(connection)]
    )
    assert dict(found.fetchall()) == {
        "tag:1": "expired",
        "tag:2": "expiring",
        "tag:4": "expired",
        "tag:5": "missing",
        DIGITAL: "missing",
        GENERAL: "changed",
    }
    asked = {"dashboards_only": [DIGITAL, GENERAL], "stale_only": [GENERAL, "tag:1", "tag:4"]}
    for option, expected in asked.items():
        assert sorted(listed(connection, **{option: "true"})) == sorted(expected)
    assert sorted(listed(connection, topic="1")) == [DIGITAL, GENERAL]
    assert len(listed(connection, refresh="true")) == 342
    assert sorted(listed(connection, refresh="true", topic="2")) == [
        f"topic:2/{dashboard}" for dashboard in DASHBOARDS
    ]
    assert len(listed(connection, clear="true", dashboards_only="true")) == 291
    assert sorted(listed(connection, clear="true", stale_only="true")) == [
        "tag:1", "tag:4", GENERAL,
    ]  # fmt: skip
    held = "INSERT INTO etl.held_item VALUES ('cache_warm', $1, 1, now() + $2, NULL, 1, 'failed')"
    connection.execute(held.encode(), [GENERAL, "1 hour"])
    connection.execute(held.encode(), ["tag:1", "-1 hour"])
    assert sorted(listed(connection, stale_only="true")) == ["tag:1", "tag:4"]
    assert GENERAL in listed(connection, clear="true")
    (levels, *_) = zip(*db.run(connection, cache_job().backlog, **values(connection)), strict=True)
    assert levels == (1, 2)
    counted = db.run(connection, cache_job().backlog, **values(connection)).fetchall()
    assert [items for _, items, _ in counted] == [1, 4]
    fresh = cache_job().freshness
    assert fresh is not None
    told = db.run(connection, fresh, **values(connection, without=["tag:1"])).fetchall()
    assert [row[1] for row in told] == [1, 3]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"topic": "99"}, "no topic has the id '99'"),
        ({"topic": "one"}, "no topic has the id 'one'"),
        ({"refresh": "true", "clear": "true"}, "--refresh warms and --clear removes"),
    ],
)
@pytest.mark.parametrize("is_empty", [True, False])
def test_options_that_mean_nothing_are_an_error_also_where_nothing_is_dirty(
    connection: Connection, options: dict[str, str], problem: str, is_empty: bool
) -> None:
    if is_empty:
        connection.execute("TRUNCATE cache.topics, cache.tags, cache.warmed, cache.mark CASCADE")
        connection.execute("DELETE FROM cache.mark")
    with pytest.raises(FileError, match=problem):
        listed(connection, **options)


def test_the_most_read_come_first_then_who_expires_soonest(connection: Connection) -> None:
    for topic in range(1, 74):
        warm(connection, *(f"topic:{topic}/{dashboard}" for dashboard in DASHBOARDS))
    connection.execute("UPDATE cache.warmed SET hits = 5 WHERE key = 10")
    connection.execute("UPDATE cache.warmed SET hits = 3 WHERE key = 9 AND dashboard = 'twitter'")
    connection.execute(
        "INSERT INTO cache.hit SELECT 'topic:9/twitter', 1 FROM generate_series(1, 3)"
    )
    connection.execute(
        "UPDATE cache.warmed SET expires_at = now() - interval '1 minute'"
        " WHERE key = 8 AND dashboard = 'general'"
    )
    connection.execute("DELETE FROM cache.warmed WHERE key = 70 AND dashboard = 'digital'")
    warm(connection, "tag:3")
    connection.execute("UPDATE cache.warmed SET hits = 1000 WHERE item_key = 'tag:3'")
    order = listed(connection, refresh="true")
    assert order[:7] == [
        "topic:9/twitter",
        *(f"topic:10/{dashboard}" for dashboard in DASHBOARDS),
        "topic:70/digital",
        "topic:8/general",
    ]
    assert order[7:11] == [f"topic:1/{dashboard}" for dashboard in DASHBOARDS]
    assert order[292:295] == ["tag:3", "tag:1", "tag:2"]
    # The longest dirty have their share: the third place of ten, at 25 percent.
    connection.execute(
        "INSERT INTO cache.mark (item_key, marked_at) VALUES ('tag:50', '2020-01-01')"
    )
    assert listed(connection, refresh="true", reserved_percent=25).index("tag:50") <= 3


def test_every_kind_of_change_marks_whom_it_concerns(connection: Connection) -> None:
    marked(connection)
    entry = add_entry(connection, 1)
    assert marked(connection) == {DIGITAL, GENERAL}
    connection.execute("INSERT INTO cache.entry_tags VALUES ($1, 3)", [entry])
    assert marked(connection) == {DIGITAL, GENERAL, "tag:3"}
    connection.execute("UPDATE cache.entry_tags SET tag_id = 4 WHERE entry_id = $1", [entry])
    assert marked(connection) == {DIGITAL, GENERAL, "tag:3", "tag:4"}
    change = "UPDATE cache.entries SET source = 'twitter', topic_id = 2 WHERE entry_id = $1"
    connection.execute(change.encode(), [entry])
    assert marked(connection) == {
        DIGITAL, GENERAL, "topic:2/twitter", "topic:2/general", "tag:4",
    }  # fmt: skip
    connection.execute("DELETE FROM cache.entries WHERE entry_id = $1", [entry])
    assert marked(connection) == {"topic:2/twitter", "topic:2/general", "tag:4"}
    connection.execute("UPDATE cache.topics SET name = 'Water' WHERE topic_id = 1")
    connection.execute("UPDATE cache.tags SET name = 'wet' WHERE tag_id = 9")
    assert marked(connection) == {f"topic:1/{dashboard}" for dashboard in DASHBOARDS} | {"tag:9"}
    warm(connection, DIGITAL, "tag:1")
    connection.execute("TRUNCATE cache.entries CASCADE")
    assert marked(connection) == {DIGITAL, "tag:1"}
    assert marked(connection) == set()


def test_a_run_in_which_nothing_changed_looks_at_keys_only(connection: Connection) -> None:
    warm_all(connection)
    connection.execute("VACUUM ANALYZE cache.warmed, cache.mark, cache.hit")
    read = explain(connection, cache_job().prioritize, **values(connection))
    most = {"cache.warmed": 342, "cache.topics": TOPICS, "cache.tags": TAGS}
    assert {name: count for name, count in rows(read).items() if count > most.get(name, 0)} == {}
    assert read.hit_blocks + read.read_blocks < 60


def test_a_reader_of_the_tables_may_list_and_not_write(dsn: str) -> None:
    with connect(Target.parse(f"{dsn} user={READER}"), "tests") as reader:
        assert len(listed(reader)) == 342
        for refused in (
            "CALL cache.warm('tag:1')",
            "INSERT INTO cache.mark (item_key) VALUES ('tag:1')",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(refused.encode())
