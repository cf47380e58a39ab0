"""The share of every cycle that belongs to those who have been dirty longest."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl import db
from etl.db import Connection
from tests.conftest import Etl, shipped_job
from tests.support import DAY, refresh

NOW = datetime(2026, 1, 16, 3, tzinfo=UTC)
JOB = shipped_job()
User = tuple[int, int | None, int]
"""Total actions, days since the last one, days since when it is dirty."""

USERS = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 10, 11, 100, 101, 500]),
        st.none() | st.sampled_from([0, 7, 8, 30, 31, 90, 91, 400]),
        st.integers(0, 5),
    ),
    max_size=30,
)


def fill(connection: Connection, users: Sequence[User]) -> None:
    """Make these the only users, with the keys 1, 2, 3, …; all dirty, without facts."""
    connection.execute("TRUNCATE dwh.dimension_users, dwh.datamart_users RESTART IDENTITY")
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO dwh.dimension_users"
            " (username, total_actions, last_action_at, dirty_since) VALUES ($1, $2, $3, $4)",
            [
                (
                    f"user{number}",
                    actions,
                    None if days is None else DAY - timedelta(days),
                    NOW - timedelta(dirty_days),
                )
                for number, (actions, days, dirty_days) in enumerate(users)
            ],
        )


def listed(connection: Connection, limit: int | None, reserved: int) -> list[int]:
    values = {"as_of": DAY, "now": NOW, "max_items": limit, "reserved_percent": reserved}
    return [row[0] for row in db.run(connection, JOB.prioritize, **values)]


def longest_dirty(connection: Connection) -> list[int]:
    rows = connection.execute(
        "SELECT dimension_user_id FROM dwh.dimension_users WHERE modified"
        " ORDER BY dirty_since, dimension_user_id"
    )
    return [key for (key,) in rows]


@given(
    users=USERS, limit=st.none() | st.integers(1, 40), reserved=st.sampled_from([0, 1, 10, 33, 99])
)
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_beginning_of_the_list_has_its_share_of_the_longest_dirty(
    connection: Connection, users: list[User], limit: int | None, reserved: int
) -> None:
    fill(connection, users)
    keys = listed(connection, limit, reserved)
    assert len(keys) == len(set(keys)) == min(len(users), limit or len(users))
    oldest = longest_dirty(connection)
    for length in range(len(keys) + 1):
        due = oldest[: length * reserved // 100]
        assert set(due) <= set(keys[:length])


@given(users=USERS, limit=st.integers(1, 40), reserved=st.sampled_from([1, 10, 33, 99]))
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_others_follow_the_cascade_and_nobody_is_moved_back_by_being_old(
    connection: Connection, users: list[User], limit: int, reserved: int
) -> None:
    fill(connection, users)
    cascade = listed(connection, None, 0)
    keys = listed(connection, limit, reserved)
    moved_up = set(longest_dirty(connection)[: -(-limit * reserved // 100)])
    others = [key for key in keys if key not in moved_up]
    assert others == [key for key in cascade if key in set(others)]
    # Behind place p of the cascade come the reserved places that fall due by then, no more.
    for key in keys:
        place = cascade.index(key) + 1
        assert keys.index(key) + 1 <= place + (place * reserved) // (100 - reserved) + 1


def cycles_until(connection: Connection, victim: int, reserved: int, at_most: int) -> int:
    """Run cycles of 20 while ten active users are marked again and again."""
    for cycle in range(1, at_most + 1):
        for key in listed(connection, 20, reserved):
            refresh(connection, key)
            connection.execute(
                "UPDATE dwh.dimension_users SET modified = TRUE, last_action_at = $1"
                " WHERE dimension_user_id <= 40",
                [DAY],
            )
            if key == victim:
                return cycle
    return at_most + 1


@pytest.fixture
def stream(connection: Connection) -> list[int]:
    """Forty users who never stop, and sixty idle ones who have been dirty for long."""
    active: list[User] = [(500, 0, 0)] * 40
    idle: list[User] = [(1, None, 5 + number) for number in range(60)]
    fill(connection, active + idle)
    return longest_dirty(connection)


@pytest.mark.parametrize("rank", [1, 2, 25, 60])
def test_a_steady_stream_of_active_users_starves_nobody(
    connection: Connection, stream: list[int], rank: int
) -> None:
    """The bound: rank / (limit x share) cycles; here two of twenty are reserved."""
    assert cycles_until(connection, stream[rank - 1], 10, 40) <= -(-rank // 2)


def test_without_a_reserved_share_it_would(connection: Connection, stream: list[int]) -> None:
    assert cycles_until(connection, stream[0], 0, 40) == 41


def queue_of(etl: Etl, environment: dict[str, str], *flags: str, **more: str) -> list[str]:
    etl("datamart-users", f"--as-of={DAY}", *flags, **more).ended(0)
    (queue,) = Path(environment["ETL_STATE_DIR"]).glob("cycles/*/datamart_users/*/queue.tsv")
    return [line.split("\t")[0] for line in queue.read_text().splitlines()[1:]]


@pytest.mark.parametrize(
    ("flags", "more", "reserved"),
    [
        ([], {}, 2),
        (["--reserved-percent=20"], {"RESERVED_PERCENT": "5"}, 4),
        ([], {"RESERVED_PERCENT": "0"}, 0),
    ],
)
def test_a_cycle_keeps_the_share_that_flag_or_environment_says(
    connection: Connection,
    etl: Etl,
    environment: dict[str, str],
    flags: list[str],
    more: dict[str, str],
    reserved: int,
) -> None:
    fill(connection, [(500, 0, 0)] * 40 + [(1, None, 9)] * 20)
    queue = queue_of(etl, environment, "--max-users=20", *flags, **more)
    assert len(queue) == 20
    assert [key for key in queue if int(key) > 40] == [str(41 + i) for i in range(reserved)]
    if reserved:
        assert queue.index("41") + 1 == 20 // reserved


@pytest.mark.parametrize("text", ["100", "-1", "ten", "²"])
def test_a_share_that_is_none_is_refused(etl: Etl, text: str) -> None:
    etl("datamart-users", RESERVED_PERCENT=text).ended(2, "RESERVED_PERCENT must be")
