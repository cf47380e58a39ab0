"""A small social network for the tests of counter_caches, and what its counters should be."""

from collections.abc import Iterable

from etl import folders, job
from etl.db import Connection
from etl.job import Job
from tests import support

KINDS = ("followers", "following", "posts")
FIRST, LAST = 1 - 2**63, 2**63 - 2
"""The window of a cycle over everybody."""

# Each user by itself: unlike the job, which counts ranges of users.
_WRONG = """
SELECT x.kind || ':' || u.user_id, x.stored, x.really
FROM social.users AS u, LATERAL (VALUES
    (1, 'followers', u.followers_count,
        (SELECT count(*) FROM social.follows AS f WHERE f.followed_id = u.user_id)),
    (2, 'following', u.following_count,
        (SELECT count(*) FROM social.follows AS f WHERE f.follower_id = u.user_id)),
    (3, 'posts', u.posts_count,
        (SELECT count(*) FROM social.posts AS p WHERE p.user_id = u.user_id))
) AS x (level, kind, stored, really)
WHERE x.stored <> x.really AND u.user_id BETWEEN $1 AND $2
ORDER BY x.level, u.user_id
"""
_USERS = """
WITH u AS (SELECT user_id, row_number() OVER (ORDER BY user_id) - 1 AS place FROM social.users),
lot AS (
    SELECT floor(random() * n) AS a, floor(random() ^ 3 * n) AS b
    FROM (SELECT count(*) AS n FROM u) AS every, generate_series(1, $1::integer)
)
"""
_FOLLOWS = """
INSERT INTO social.follows
SELECT a.user_id, b.user_id FROM lot JOIN u AS a ON a.place = lot.a JOIN u AS b ON b.place = lot.b
WHERE lot.a <> lot.b ON CONFLICT DO NOTHING
"""
_POSTS = "INSERT INTO social.posts (user_id) SELECT u.user_id FROM lot JOIN u ON u.place = lot.b"


def shipped() -> Job:
    return job.load(folders.sql_folder() / "jobs" / "counter_caches")


def install(connection: Connection) -> None:
    """Bring the job into a database, as `etl init` does."""
    support.install(connection, [shipped()])


def add_users(connection: Connection, keys: Iterable[int]) -> None:
    """Users of whom nobody knows anything."""
    connection.execute(
        "INSERT INTO social.users (user_id, username) SELECT k, 'user ' || k"
        " FROM unnest($1::bigint[]) AS k",
        [list(keys)],
    )


def load(connection: Connection, follows: int, posts: int) -> None:
    """Follows and posts of random users, in bulk: no counter moves."""
    connection.execute("SET social.counting = off")
    connection.execute(_USERS.encode() + _FOLLOWS.encode(), [follows])
    connection.execute(_USERS.encode() + _POSTS.encode(), [posts])
    connection.execute("RESET social.counting")


def wrong(
    connection: Connection, first: int = FIRST, last: int = LAST
) -> list[tuple[str, int, int]]:
    """Which counters are wrong: item_key, what is stored, what should be."""
    rows = connection.execute(_WRONG.encode(), [first, last])
    return [(str(k), int(s), int(r)) for k, s, r in rows]
