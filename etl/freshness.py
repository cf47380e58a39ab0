"""How long the dirty items of a job have been so, by level, against the job's goals."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from etl import db
from etl.job import Job


@dataclass(frozen=True, slots=True)
class LevelAge:
    """The dirty items of one level.

    Attributes:
        level: Its number.
        name: Its name.
        items: How many they are, held ones left out.
        oldest_s: How long the longest dirty one has been so, seconds; None: not known.
        p95_s: Five of a hundred have been dirty for so long or longer; None: not known.
        p50_s: Half of them.
        goal_s: How long the job wants any to be dirty at most, seconds; None: it does not say.
    """

    level: int
    name: str
    items: int
    oldest_s: float | None
    p95_s: float | None
    p50_s: float | None
    goal_s: float | None

    @property
    def is_late(self) -> bool:
        """Whether an item has been dirty for longer than the goal."""
        return self.goal_s is not None and (self.oldest_s or 0.0) > self.goal_s


def ages(
    connection: db.Connection, job: Job, as_of: date, now: datetime, without: Sequence[str] = ()
) -> list[LevelAge]:
    """The dirty items of a job now, by level; each level that has a name is there.

    Args:
        connection: Where.
        job: The job. One without a freshness.sql knows the oldest ones only.
        as_of: The day that counts as today, UTC.
        now: The moment of asking.
        without: Keys to leave out; only for a job with a freshness.sql.
    """
    statement = job.freshness or job.backlog
    given = {**job.values, "as_of": as_of, "now": now, "without": list(without)}
    rows = db.run(connection, statement, **given)
    found = {row[0]: (row[1], *row[2:5], None, None, None) for row in rows}

    def age(level: int) -> LevelAge:
        items, *dates = found.get(level, (0, None, None, None))
        oldest, p95, p50, *_ = (
            None if date is None else max(0.0, (now - date).total_seconds()) for date in dates
        )
        goal = job.freshness_goals.get(level)
        return LevelAge(level, job.level_name(level), items, oldest, p95, p50, goal)

    return [age(level) for level in sorted({*job.level_names, *found})]
