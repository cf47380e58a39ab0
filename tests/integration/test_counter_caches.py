"""counter_caches: every counter ends up right, in ranges made of the users that exist."""

import itertools
import random
from datetime import UTC, datetime

import psycopg
import pytest

from etl import db
from etl.db import Connection, Row
from etl.errors import FileError
from etl.sqlfile import Statement, statements
from tests import network
from tests.conftest import READER, Connect
from tests.network import FIRST, KINDS, LAST, wrong

USERS = [*sorted(random.Random(7).sample(range(-(10**9), 10**9), 300)), 2**40]  # noqa: S311


@pytest.fixture
def social(connection: Connection) -> Connection:
    """A superuser's connection to a network whose counters are all 0, as after a bulk load."""
    network.install(connection)
    network.add_users(connection, USERS)
    connection.execute("SELECT setseed(0.5)")
    network.load(connection, 3000, 1500)
    return connection


def sql(name: str) -> Statement:
    """A file of the job that is one statement."""
    (statement,) = statements(network.shipped().folder / name)
    return statement


def listed(connection: Connection, most: int = 100, **given: object) -> list[Row]:
    values: dict[str, object] = {"round": 0, "from_key": FIRST, "to_key": LAST, "counter": ""}
    values |= {"most": most, "now": datetime.now(UTC)} | given
    return db.run(connection, sql("prioritize.sql"), **values).fetchall()


def process(connection: Connection, row: Row) -> None:
    """Process a range that has been listed."""
    values = dict(zip(("kind", "first_key", "last_key"), row[3:6], strict=True))
    db.run(connection, sql("process.sql"), **values)


def test_all_ranges_together_make_every_counter_right(
    social: Connection, connect_again: Connect
) -> None:
    assert len(wrong(social)) > 600
    runner = connect_again()
    for row in listed(runner):
        process(runner, row)
    assert wrong(social) == []


def test_right_counters_are_not_written(social: Connection) -> None:
    ranges = listed(social)
    for row in ranges:
        process(social, row)
    versions = social.execute("SELECT user_id, xmin::text FROM social.users").fetchall()
    for row in ranges:
        process(social, row)
    assert social.execute("SELECT user_id, xmin::text FROM social.users").fetchall() == versions


def test_only_the_counter_of_the_kind_is_written(social: Connection) -> None:
    social.execute("UPDATE social.users SET followers_count = 7, following_count = 7")
    db.run(social, sql("process.sql"), kind="posts", first_key=FIRST, last_key=LAST)
    assert {key.partition(":")[0] for key, *_ in wrong(social)} == {"followers", "following"}
    with pytest.raises(FileError, match="no counter is called 'likes'"):
        db.run(social, sql("process.sql"), kind="likes", first_key=1, last_key=1)


@pytest.mark.parametrize("most", [1, 7, 100, 301, 1000])
def test_ranges_have_the_users_that_exist_each_once_in_order(social: Connection, most: int) -> None:
    rows = listed(social, most)
    assert [row[1] for row in rows] == sorted(row[1] for row in rows)
    for level, kind in enumerate(KINDS, 1):
        ranges = [(first, last, weight) for *_, weight, of, first, last in rows if of == kind]
        assert len(ranges) == -(-len(USERS) // most)
        assert {row[1] for row in rows if row[3] == kind} == {level}
        taken = [[user for user in USERS if first <= user <= last] for first, last, _ in ranges]
        assert list(itertools.chain.from_iterable(taken)) == USERS
        assert [len(part) for part in taken] == [weight for *_, weight in ranges]
        assert ranges[-1][1] == LAST
    assert rows[0][0] == f"followers:{rows[0][4]}..{rows[0][5]}" or most == 1


def test_only_the_users_of_a_window_and_the_counter_asked_for_are_listed(
    social: Connection,
) -> None:
    rows = listed(social, from_key=USERS[3], to_key=USERS[9], counter="following", most=5)
    assert [row[1:] for row in rows] == [
        (2, 5, "following", USERS[3], USERS[7]),
        (2, 2, "following", USERS[8], USERS[9]),
    ]
    one = listed(social, from_key=USERS[3], to_key=USERS[3], counter="posts")
    assert one == [(f"posts:{USERS[3]}", 3, 1, "posts", USERS[3], USERS[3])]
    assert listed(social, from_key=USERS[3] + 1, to_key=USERS[4] - 1) == []


def test_a_batch_is_cut_at_users_that_exist(social: Connection) -> None:
    given = {"kind": "posts", "first_key": USERS[0] - 5, "last_key": USERS[20] + 1}
    assert db.one(social, sql("cut.sql"), **given, size=4) == (USERS[3], 4)
    assert db.one(social, sql("cut.sql"), **given, size=22) == (USERS[20] + 1, 21)


def test_the_backlog_counts_users_by_counter(social: Connection) -> None:
    window = {"from_key": FIRST, "to_key": USERS[9], "round": 0, "now": datetime.now(UTC)}
    rows = db.run(social, sql("backlog.sql"), **window, counter="").fetchall()
    assert rows == [(level, 10, None) for level in (1, 2, 3)]
    rows = db.run(social, sql("backlog.sql"), **window, counter="posts").fetchall()
    assert rows == [(3, 10, None)]


def test_verification_and_preview_name_the_wrong_ones(social: Connection) -> None:
    expected = wrong(social)
    assert db.run(social, sql("verify.sql")).fetchall() == [
        (key, f"has {stored}, should have {really}") for key, stored, really in expected
    ]
    window = {"from_key": USERS[5], "to_key": USERS[200]}
    rows = db.run(social, sql("preview.sql"), **window, counter="").fetchall()
    for what, records, sample in rows:
        kind = what.partition(" ")[0]
        inside = [
            (int(key.partition(":")[2]), stored, really)
            for key, stored, really in expected
            if key.startswith(kind) and USERS[5] <= int(key.partition(":")[2]) <= USERS[200]
        ]
        user, stored, really = inside[0]
        assert records == len(inside)
        assert sample == f"user {user}: {kind}_count {stored} -> {really}"
    assert [what for what, *_ in rows] == [f"{kind} counters" for kind in KINDS]
    for row in listed(social):
        process(social, row)
    assert db.run(social, sql("verify.sql")).fetchall() == []
    assert db.run(social, sql("preview.sql"), **window, counter="posts").fetchall() == []


def test_triggers_keep_right_counters_right(social: Connection) -> None:
    for row in listed(social):
        process(social, row)
    a, b, c = USERS[:3]
    for change in (
        f"DELETE FROM social.follows WHERE followed_id < 0 OR follower_id = {c}",
        f"INSERT INTO social.follows SELECT {a}, user_id FROM social.users WHERE user_id > 0"
        " ON CONFLICT DO NOTHING",
        f"UPDATE social.follows SET follower_id = {c} WHERE follower_id = {a}",
        f"INSERT INTO social.posts (user_id) VALUES ({a}), ({a}), ({b})",
        f"UPDATE social.posts SET user_id = {c} WHERE user_id = {a}",
        f"DELETE FROM social.posts WHERE user_id = {b}",
        "DELETE FROM social.posts WHERE FALSE",
    ):
        social.execute(change.encode())
        assert wrong(social) == [], change
    versions = "SELECT user_id, xmin::text FROM social.users"
    before = social.execute(versions.encode()).fetchall()
    social.execute("UPDATE social.posts SET body = 'changed'")
    assert social.execute(versions.encode()).fetchall() == before
    social.execute("SET social.counting = off")
    social.execute("DELETE FROM social.posts WHERE user_id = $1", [c])
    assert [key for key, *_ in wrong(social)] == [f"posts:{c}"]


def test_a_reader_reads_and_the_runner_changes_counters_only(
    social: Connection, dsn: str, connect_again: Connect
) -> None:
    with psycopg.connect(f"{dsn} user={READER}", autocommit=True) as reader:
        assert reader.execute("SELECT count(*) FROM social.true_count").rowcount == 1
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("CALL social.count_users('posts', 1, 2)")
    runner = connect_again()
    assert len(db.run(runner, sql("verify.sql")).fetchall()) == len(wrong(social))
    for change in ("UPDATE social.users SET username = ''", "DELETE FROM social.posts"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            runner.execute(change.encode())


def test_sample_data_are_skewed_and_their_counters_stale(connection: Connection) -> None:
    network.install(connection)
    with connection.transaction():
        for statement in statements(network.shipped().folder / "sample.sql"):
            db.run(connection, statement, scale=2000)
    found = connection.execute(
        "SELECT count(*), min(user_id), max(user_id), sum(followers_count + posts_count)"
        " FROM social.users"
    ).fetchone()
    assert found == (2000, 1, 2020, 0)
    counts = connection.execute(
        "SELECT kind, max(number), sum(number)::integer FROM social.true_count GROUP BY kind"
    ).fetchall()
    most, total = ({row[0]: int(row[at]) for row in counts} for at in (1, 2))
    assert total["posts"] == 9200
    assert 8 * 2000 < total["followers"] == total["following"]
    assert all(most[kind] > 20 * total[kind] / 2000 for kind in KINDS)
    assert len(wrong(connection)) > 4000
    connection.execute("INSERT INTO social.users (username) VALUES ('the next one')")
