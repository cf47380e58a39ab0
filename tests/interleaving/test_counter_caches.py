"""counter_caches: no change is lost, whenever it happens while a batch counts.

The two statements of the procedure that write are gates, by statement triggers of the test's:
before the first one (which has its snapshot and has locked nothing), behind it (rows are locked),
before the second one (the rest is locked, and the snapshot younger) and behind that.
"""

import itertools
import random
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from etl.db import Connection, Target, connect
from tests import network
from tests.conftest import Connect
from tests.interleaving.stepping import Observer, Session, State
from tests.network import KINDS, wrong

_GATES = """
CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    gate integer := 1 + coalesce(nullif(current_setting('gate.passed', TRUE), '')::integer, 0);
BEGIN
    IF current_setting('application_name') = 'backfill' THEN
        PERFORM set_config('gate.passed', gate::text, TRUE);
        PERFORM pg_advisory_xact_lock_shared(pg_backend_pid()::bigint << 8 | gate);
    END IF;
    RETURN NULL;
END $$;
-- A test may take its time.
ALTER PROCEDURE social.count_users SET lock_timeout = 0;
CREATE TRIGGER a_gate BEFORE UPDATE ON social.users FOR EACH STATEMENT EXECUTE FUNCTION gate();
CREATE TRIGGER z_gate AFTER UPDATE ON social.users FOR EACH STATEMENT EXECUTE FUNCTION gate();
"""
GATES = (1, 2, 3, 4)
END = 5

# {user} is the first of three users of the batch: {user}, {user} + 1, {user} + 2.
CHANGES = {
    "follows": "INSERT INTO social.follows VALUES ({user} + 1, {user})",
    "unfollows": "DELETE FROM social.follows WHERE followed_id IN ({user}, {user} + 2)",
    "follows somebody else": "UPDATE social.follows SET followed_id = {user} + 2"
    " WHERE follower_id = {user} + 3 AND followed_id = {user}",
    "posts": "INSERT INTO social.posts (user_id) VALUES ({user}), ({user} + 2)",
    "deletes posts": "DELETE FROM social.posts WHERE user_id = {user}",
    "posts as another": "UPDATE social.posts SET user_id = {user} + 1 WHERE user_id = {user}",
    "to the old number": "UPDATE social.posts SET user_id = {user} + 2 WHERE user_id = {user} + 1;"
    "UPDATE social.follows SET followed_id = {user} + 2 WHERE followed_id = {user} + 1",
    "counts by itself": "CALL social.count_users('{kind}', {user}, {user} + 1)",
    "deletes the user": "DELETE FROM social.users WHERE user_id = {user} + 1",
}
CONCERNED = {
    "follows": ("followers",),
    "unfollows": ("following",),
    "follows somebody else": ("followers",),
    "posts": ("posts",),
    "deletes posts": ("posts",),
    "posts as another": ("posts",),
}
"""The counters of a change; of the others all three are tried."""
SECOND = "INSERT INTO social.follows VALUES ({user} + 2, {user} + 1);" + CHANGES["posts"]


@pytest.fixture
def social(connection: Connection) -> Connection:
    """A superuser's connection to an empty network."""
    network.install(connection)
    return connection


def add_users(connection: Connection, first: int) -> None:
    """Four new users with follows and posts. Counters of the first two are wrong."""
    network.add_users(connection, range(first, first + 4))
    for statement in (
        "INSERT INTO social.follows SELECT a, b FROM generate_series({user}, {user} + 3) AS a,"
        " generate_series({user}, {user} + 2) AS b WHERE a > b",
        "INSERT INTO social.posts (user_id) SELECT {user} + n % 3 FROM generate_series(0, 5) AS n",
        "UPDATE social.users SET followers_count = followers_count - 1,"
        " following_count = following_count - 1, posts_count = posts_count - 1"
        " WHERE user_id BETWEEN {user} AND {user} + 1",
    ):
        connection.execute(statement.format(user=first).encode())


class Stage:
    """Plays one order after the other, each with users of its own."""

    def __init__(self, connection: Connection, dsn: str) -> None:
        self._connection = connection
        connection.execute(_GATES.encode())
        self._observer = Observer(connection)
        target = Target.parse(f"{dsn} user=etl")
        self._opened = [connect(target, "rival"), connect(target, "backfill")]
        self._opened[1].execute("SET application_name = 'backfill'")
        self._rival, self._backfill = (Session(one, self._observer) for one in self._opened)
        self._numbers = itertools.count(10, 10)

    def close(self) -> None:
        for one in self._opened:
            one.close()

    def play(self, kind: str, change: str, second: str, times: tuple[int, int, int]) -> None:
        """One order, and what is wrong afterwards.

        Args:
            kind: The counter.
            change: What the rival does in a transaction at ``times[0]``.
            second: What it does in another one, from ``times[1]`` to ``times[2]``.
            times: Gates at which the batch stands; 0 is before it, END behind it.
        """
        user = next(self._numbers)
        add_users(self._connection, user)
        self._observer.close_gates(self._backfill.pid, GATES)
        todo = [(times[0], change), (times[1], f"BEGIN; {second}"), (times[2], "COMMIT")]
        now = 0
        todo = self._until(now, [(at, text.format(user=user, kind=kind)) for at, text in todo])
        self._backfill.send(f"CALL social.count_users('{kind}', {user}, {user} + 2)")
        while (state := self._backfill.settle()) is not State.IDLE:
            if state is State.BLOCKED:  # for the rival, who goes on
                todo = self._until(END, todo)
            else:
                now += 1
                todo = self._until(now, todo)
                self._backfill.pass_gate()
        self._until(END, todo)
        self._rival.reset()
        self._observer.open_all()
        assert self._backfill.sqlstate == "", (kind, times)
        self._backfill.reset()
        left = [one for one in wrong(self._connection, user, user + 2) if one[0].startswith(kind)]
        assert left == [], (kind, times)

    def _until(self, now: int, todo: list[tuple[int, str]]) -> list[tuple[int, str]]:
        """Do what is due. Returns the rest: all of it as long as the rival itself waits."""
        while todo and todo[0][0] <= now and self._rival.settle() is State.IDLE:
            self._rival.send(todo.pop(0)[1])
        self._rival.settle()
        return todo


@pytest.fixture
def stage(social: Connection, dsn: str) -> Iterator[Stage]:
    stage = Stage(social, dsn)
    yield stage
    stage.close()


@pytest.mark.parametrize("change", CHANGES)
def test_no_order_loses_a_change(stage: Stage, change: str) -> None:
    """Every order of a batch and two transactions, of which the first one makes it count twice."""
    orders = [
        (first, begun, ended)
        for first in (0, 1, 2, 3)
        for begun in range(first, END)
        for ended in range(begun, END + 1)
    ]
    for kind, times in itertools.product(CONCERNED.get(change, KINDS), orders):
        stage.play(kind, CHANGES[change], SECOND, times)


def test_who_holds_a_row_for_long_makes_the_batch_busy_and_is_not_disturbed(
    social: Connection, connect_again: Connect
) -> None:
    add_users(social, 1)
    before = social.execute("SELECT * FROM social.users ORDER BY 1").fetchall()
    runner = connect_again()
    with social.transaction():
        social.execute("INSERT INTO social.posts (user_id) VALUES (2)")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            runner.execute("CALL social.count_users('followers', 1, 3)")
        assert (
            social.execute("SELECT * FROM social.users WHERE user_id = 1").fetchall() == before[:1]
        )
    runner.execute("CALL social.count_users('followers', 1, 3)")
    assert not [one for one in wrong(social) if one[0].startswith("followers")]


def test_a_batch_gives_up_before_the_server_looks_for_a_deadlock(social: Connection) -> None:
    row = social.execute(
        "SELECT s.setting::integer, p.proconfig FROM pg_settings AS s, pg_proc AS p"
        " WHERE s.name = 'deadlock_timeout' AND p.oid = 'social.count_users'::regproc"
    ).fetchone()
    assert row is not None
    (waits,) = (one for one in row[1] if one.startswith("lock_timeout="))
    assert int(waits.removeprefix("lock_timeout=").removesuffix("ms")) < row[0] / 2


USERS, PASSES, WRITERS = 40, 12, 3
# $1 is a user of whose follows and posts this writer alone disposes, $2 any user.
WRITES = (
    "INSERT INTO social.follows VALUES ($1, $2) ON CONFLICT DO NOTHING",
    "INSERT INTO social.follows SELECT $1, k FROM generate_series($2::bigint, $2 + 5) AS k"
    " ON CONFLICT DO NOTHING",
    "DELETE FROM social.follows WHERE follower_id = $1 AND followed_id > $2",
    "UPDATE social.follows AS f SET followed_id = $2 WHERE follower_id = $1 AND followed_id ="
    " (SELECT min(followed_id) FROM social.follows WHERE follower_id = $1) AND NOT EXISTS"
    " (SELECT FROM social.follows WHERE follower_id = $1 AND followed_id = $2)",
    "INSERT INTO social.posts (user_id, body) VALUES ($1, $1), ($2, $1)",
    "DELETE FROM social.posts WHERE body = $1::text AND post_id % 3 = $2 % 3",
    "UPDATE social.posts SET user_id = $2 WHERE body = $1::text AND post_id % 2 = 0",
    # Somebody breaks a counter: the next pass has something to do.
    "UPDATE social.users SET followers_count = $1, following_count = $2, posts_count = $1 + $2"
    " WHERE user_id = $1",
)


def _write(connection: Connection, number: int, kinds: int, over: threading.Event) -> Counter[str]:
    """Change something, again and again. Returns the SQLSTATEs of what failed."""
    chance = random.Random(number)  # noqa: S311 - no secret
    states: Counter[str] = Counter()
    while not over.is_set():
        change = WRITES[chance.randrange(kinds)]
        try:
            connection.execute(
                change.encode(), [chance.randint(1, USERS), chance.randint(1, USERS)]
            )
            states["00000"] += 1
        except psycopg.Error as error:
            states[str(error.sqlstate)] += 1
    return states


def _count_all(connection: Connection, size: int) -> Counter[str]:
    """All ranges of all counters, each until it is done."""
    states: Counter[str] = Counter()
    for kind in KINDS:
        for first in range(1, USERS + 1, size):
            while True:
                try:
                    connection.execute(
                        "CALL social.count_users($1, $2, $3)", [kind, first, first + size - 1]
                    )
                    states["00000"] += 1
                    break
                except psycopg.errors.LockNotAvailable:
                    states["55P03"] += 1
    return states


def test_a_storm_leaves_every_counter_right(social: Connection, dsn: str) -> None:
    network.add_users(social, range(1, USERS + 1))
    network.load(social, 500, 300)
    sessions = [connect(Target.parse(f"{dsn} user=etl"), "storm") for _ in range(WRITERS + 2)]
    with ThreadPoolExecutor(WRITERS + 1) as threads:
        for kinds in (len(WRITES), len(WRITES) - 1):  # in the end nobody breaks counters any more
            over = threading.Event()
            writers = [
                threads.submit(_write, one, number, kinds, over)
                for number, one in enumerate(sessions[2:])
            ]
            rival = threads.submit(_count_all, sessions[1], 7)
            try:
                for _ in range(PASSES):
                    counted = _count_all(sessions[0], 10)
                    assert counted["00000"] == len(KINDS) * USERS / 10
                rival.result()
            finally:
                over.set()
            states = sum((writer.result() for writer in writers), Counter[str]())
            assert set(states) == {"00000"}, states  # above all no deadlock
    assert wrong(social) == []
    for one in sessions:
        one.close()
