"""Real cycles of datamart-users night by night, beside the simulation of the same arrivals."""

import random
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

from etl.db import Connection
from etl.settings import ItemLimit
from etl.simulation import LevelScenario, LevelState, Scenario, Simulation
from etl.simulation.past import settle
from tests.conftest import Etl
from tests.support import DAY, refresh_all

LEVELS = range(1, 7)
# Written anew: level, items, and the ages in days that sort places 1, ceil(n / 20), ceil(n / 2).
LEFT = """
WITH d AS (
    SELECT
        CASE
            WHEN $1::date - u.last_action_at::date <= 7 THEN 1
            WHEN $1::date - u.last_action_at::date <= 30 THEN 2
            WHEN $1::date - u.last_action_at::date <= 90 THEN 3
            WHEN u.total_actions >= 101 THEN 4 WHEN u.total_actions >= 11 THEN 5 ELSE 6
        END AS level,
        $1::date - CASE
            WHEN u.modified THEN (u.dirty_since AT TIME ZONE 'UTC')::date ELSE m.next_change_on
        END AS age
    FROM dwh.dimension_users AS u
    LEFT JOIN dwh.datamart_users AS m USING (dimension_user_id)
    WHERE u.modified OR m.next_change_on <= $1::date
), o AS (
    SELECT
        level, age, count(*) OVER (PARTITION BY level) AS n,
        row_number() OVER (PARTITION BY level ORDER BY age DESC) AS place
    FROM d
)
SELECT level, n, age FROM o
WHERE place IN (1, (n + 19) / 20, (n + 1) / 2) ORDER BY level, place
"""

Left = dict[int, tuple[int, int, int, int]]
"""Items, and the ages of the oldest, p95 and p50 in nights, by level."""


def left(connection: Connection, day: date) -> Left:
    """What is dirty, by SQL of this test alone."""
    found: dict[int, list[int]] = {}
    items: dict[int, int] = {}
    for level, count, age in connection.execute(LEFT.encode(), [day]):
        found.setdefault(level, []).append(age)
        items[level] = count
    # Places that fall together are one row.
    told: Left = {}
    for level, ages in found.items():
        n = items[level]
        places = sorted({1, -(-n // 20), -(-n // 2)})
        at = dict(zip(places, ages, strict=True))
        told[level] = (n, at[1], at[-(-n // 20)], at[-(-n // 2)])
    return told


def simulated(states: Iterable[LevelState]) -> Left:
    return {
        state.level: (state.backlog, state.left.oldest, state.left.p95, state.left.p50)
        for state in states
        if state.left.oldest is not None
        and state.left.p95 is not None
        and state.left.p50 is not None
    }


def simulation(limit: int) -> Simulation:
    levels = tuple(LevelScenario(n, f"level {n}") for n in LEVELS)
    return Simulation(Scenario(levels=levels, limit=ItemLimit(limit), reserved_percent=10))


def act(connection: Connection, users: Iterable[int], at: datetime, notes: int, day: date) -> None:
    """Each of these users opens some notes at a moment; dirty they are since that day."""
    connection.execute(
        "INSERT INTO dwh.facts (action, note_id, action_at, action_dimension_id_user,"
        " opened_dimension_id_user, dimension_id_country)"
        " SELECT 'opened', (SELECT coalesce(max(note_id), 0) FROM dwh.facts)"
        " + row_number() OVER (), $2, u, u, 1 FROM unnest($1::integer[]) AS u,"
        " generate_series(1, $3::integer)",
        [list(users), at.replace(tzinfo=None), notes],
    )
    connection.execute(
        "UPDATE dwh.dimension_users SET dirty_since = $1"
        " WHERE modified AND dirty_since > now() - interval '1 hour'",
        [midnight(day)],
    )


def make_users(connection: Connection, users: int) -> None:
    """Users without facts, all of them clean."""
    connection.execute(
        "INSERT INTO dwh.dimension_users (username)"
        " SELECT 'user' || n FROM generate_series(1, $1::integer) AS n",
        [users],
    )


def cycle(etl: Etl, limit: int, day: date) -> None:
    ran = etl("datamart-users", f"--max-users={limit}", f"--as-of={day}", "--workers=1")
    assert ran.status == 0, ran.err


def test_it_is_exact_where_the_newest_come_first(connection: Connection, etl: Etl) -> None:
    """One level a night, never the same user twice, and later nights have later actions.

    Then the job's order within a level is newest first, and no two levels became dirty at once.
    """
    users = iter(range(1, 1000))
    make_users(connection, 400)
    refresh_all(connection)
    at_level = {1: (DAY - timedelta(6), 1), 5: (date(2020, 1, 1), 11), 6: (date(2020, 1, 1), 1)}
    nights = [(6, 60), (5, 40), (1, 30), (6, 20), (1, 50), (5, 10), (1, 15)]
    limit, made = 20, simulation(20)
    for night, (level, arrivals) in enumerate(nights):
        first, notes = at_level[level]
        at = midnight(first) + timedelta(hours=night)
        since = DAY - timedelta(len(nights) - night)
        act(connection, [next(users) for _ in range(arrivals)], at, notes, since)
        cycle(etl, limit, DAY)
        # Today is the same day for all nights, so that nobody changes the level.
        step = made.step({level: arrivals})
        ago = len(nights) - night
        real = {n: (items, *(age - ago for age in ages)) for n, (items, *ages) in
                left(connection, DAY).items()}  # fmt: skip
        assert simulated(made.levels()) == real
        assert step.backlog == sum(items for items, *_ in real.values())


def test_it_is_near_where_users_come_again_and_time_goes_on(
    connection: Connection, etl: Etl
) -> None:
    """Twelve nights of 300 users: who is dirty may act again, age, and be due by the clock.

    Backlog, arrivals and the age of the longest dirty are exact. A level is off by as many as
    have moved to another one while they waited, which the simulation does not know, and by the
    places that a cycle reserves: those of one night it takes in proportion, the job by key.
    """
    chance = random.Random(12)  # noqa: S311 - a plan to repeat, no secret
    first, limit, made = DAY - timedelta(40), 40, simulation(40)
    make_users(connection, 300)
    everybody = list(range(1, 301))
    chance.shuffle(everybody)
    kinds = [(3, 1), (20, 2), (60, 3), (200, 120), (200, 20), (200, 2)]
    for group, (days_ago, notes) in enumerate(kinds):
        at = midnight(first) - timedelta(days_ago)
        act(connection, everybody[50 * group : 50 * group + 50], at, notes, first)
    moved = 0
    before = dict.fromkeys(LEVELS, 0)
    for night in range(12):
        day = first + timedelta(night)
        if night:
            act(connection, chance.sample(everybody, 12), midnight(day) - timedelta(0.5), 1, day)
        found = {**dict.fromkeys(LEVELS, 0), **items_of(left(connection, day))}
        net = {n: found[n] - before[n] for n in LEVELS}
        moved += sum(max(0, -items) for items in net.values())
        cycle(etl, limit, day)
        step = made.step(whole(net))
        real, told = left(connection, day), simulated(made.levels())
        before = {**dict.fromkeys(LEVELS, 0), **items_of(real)}
        assert step.backlog == sum(before.values())
        assert max(ages[1] for ages in real.values()) == max(ages[1] for ages in told.values())
        off = {n: abs(items_of(told).get(n, 0) - before[n]) for n in LEVELS}
        assert max(off.values()) <= moved + limit // 10


def items_of(counted: Left) -> dict[int, int]:
    return {level: items for level, (items, *_) in counted.items()}


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def whole(net: Mapping[int, int]) -> dict[int, int]:
    """Arrivals as the command settles them, rounded without loss."""
    found: dict[int, int] = {}
    rest = Fraction()
    for level, count in settle(dict(net)).items():
        rest += count
        found[level] = int(rest)
        rest -= found[level]
    return found
