"""counter_caches through the program: what it was asked for, and after a kill just the rest."""

import pytest

from etl.db import Connection
from tests import network
from tests.conftest import Connect, Etl
from tests.faults.conftest import Start, wait_until_at_gate, wait_until_disconnected
from tests.gates import open_gate, put_gate, shut_gate
from tests.network import KINDS, wrong

USERS = range(10, 1010, 10)
STOP = 510
"""The cycle waits before it writes how many this user follows."""


@pytest.fixture
def social(connection: Connection) -> Connection:
    """A superuser's connection to a network whose counters are all 0."""
    network.install(connection)
    network.add_users(connection, USERS)
    network.load(connection, 2000, 1000)
    return connection


@pytest.fixture
def closed_gate(social: Connection, connect_again: Connect) -> Connection:
    """A connection that holds the lock for which the cycle waits."""
    counts = f"NEW.user_id = {STOP} AND NEW.following_count <> OLD.following_count"
    put_gate(social, "social.users", counts, on="UPDATE")
    social.execute("UPDATE social.users SET following_count = -1 WHERE user_id = $1", [STOP])
    keeper = connect_again()
    shut_gate(keeper)
    return keeper


def done_ranges(connection: Connection) -> list[tuple[str, int, int, int]]:
    """Kind, first and last user that exists, and users of each batch that has been done."""
    rows = connection.execute(
        "SELECT d.kind, min(u.user_id), max(u.user_id), d.keys FROM etl.done_range AS d"
        " JOIN social.users AS u ON u.user_id BETWEEN d.first_key AND d.last_key"
        " GROUP BY d.round_id, d.kind, d.first_key, d.keys ORDER BY d.kind, d.first_key"
    )
    return [(str(kind), int(first), int(last), int(keys)) for kind, first, last, keys in rows]


def batches(kind: str, size: int) -> list[tuple[str, int, int, int]]:
    """All of them, as they should be."""
    parts = [USERS[at : at + size] for at in range(0, len(USERS), size)]
    return [(kind, part[0], part[-1], len(part)) for part in parts]


@pytest.mark.parametrize("workers", [1, 3])
def test_a_cycle_counts_everybody_once_and_the_next_one_begins_again(
    social: Connection, etl: Etl, workers: int
) -> None:
    expected = [batch for kind in KINDS for batch in batches(kind, 30)]
    for rounds in (1, 2):
        record = (
            etl("counter-caches", "--json", "--batch-size=30", f"--workers={workers}")
            .ended(0, found=300, done=300)
            .record
        )
        assert [level["found"] for level in record["levels"]] == [100, 100, 100]
        assert wrong(social) == []
        assert done_ranges(social) == expected  # of the latest round
        assert social.execute("SELECT FROM etl.round").rowcount == rounds


@pytest.mark.parametrize(
    ("asked", "keys"),
    [
        (["--counter=posts"], {f"posts:{user}" for user in USERS}),
        (["--user=70"], {f"{kind}:70" for kind in KINDS}),
        (["--user=70", "--counter=followers"], {"followers:70"}),
        (["--from=70", "--to=95"], {f"{kind}:{user}" for kind in KINDS for user in (70, 80, 90)}),
    ],
)
def test_only_what_was_asked_for_is_counted(
    social: Connection, etl: Etl, asked: list[str], keys: set[str]
) -> None:
    social.execute(
        "UPDATE social.users SET followers_count = -1, following_count = -1, posts_count = -1"
    )
    etl("counter-caches", "--json", *asked).ended(0, done=len(keys))
    every = {f"{kind}:{user}" for kind in KINDS for user in USERS}
    assert {key for key, *_ in wrong(social)} == every - keys


def test_verify_lists_the_wrong_counters(social: Connection, etl: Etl) -> None:
    (key, stored, really), *_ = wrong(social)
    ran = etl("verify", "counter-caches").ended(1)
    assert f"{key} has {stored}, should have {really}" in ran.out
    assert f"{len(wrong(social))} wrong" in ran.out
    assert etl("counter-caches").status == 0
    assert etl("verify", "counter-caches").status == 0


def test_after_a_kill_the_next_cycle_does_just_the_rest(
    social: Connection, closed_gate: Connection, start: Start, etl: Etl
) -> None:
    run = start("--workers=1", "--batch-size=10", job="counter-caches")
    wait_until_at_gate(closed_gate)
    run.process.kill()
    run.process.wait()
    wait_until_disconnected(social)
    assert done_ranges(social) == [*batches("followers", 10), *batches("following", 10)[:5]]
    open_gate(closed_gate)
    etl("counter-caches", "--json", "--batch-size=10").ended(0, found=150, done=150)
    assert wrong(social) == []
    assert done_ranges(social) == [batch for kind in KINDS for batch in batches(kind, 10)]


def test_follows_and_posts_while_a_cycle_waits_are_counted(
    social: Connection, closed_gate: Connection, start: Start
) -> None:
    run = start("--workers=2", "--batch-size=10", job="counter-caches")
    wait_until_at_gate(closed_gate)
    # Before and behind the batch that waits; a new user belongs to the last range.
    social.execute("INSERT INTO social.follows VALUES (20, 30), (990, 20) ON CONFLICT DO NOTHING")
    social.execute("INSERT INTO social.posts (user_id) VALUES (20), (990)")
    social.execute("INSERT INTO social.users (user_id, username) VALUES (2000, 'new')")
    social.execute("INSERT INTO social.follows VALUES (2000, 20)")
    open_gate(closed_gate)
    run.ended(0)
    assert wrong(social) == []


def test_only_the_user_whom_somebody_holds_is_left_for_the_next_cycle(
    social: Connection, connect_again: Connect, etl: Etl
) -> None:
    asked = ("counter-caches", "--json", "--counter=followers", "--batch-size=10")
    social.execute("UPDATE social.users SET followers_count = -1")
    holder = connect_again()
    with holder.transaction():
        holder.execute("UPDATE social.users SET posts_count = posts_count WHERE user_id = 150")
        etl(*asked).told(done=99, busy=1, failed=0)
        assert [key for key, *_ in wrong(social) if "followers" in key] == ["followers:150"]
    etl(*asked).told(found=1, done=1)
    assert [key for key, *_ in wrong(social) if "followers" in key] == []
