"""What a simulation begins with: backlog, arrivals and costs of a job, as its database has them."""

import math
from collections import Counter
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from etl import db
from etl.freshness import LevelAge, ages
from etl.job import Job
from etl.ledger import cost, rounds
from etl.ledger.cost import CostModel
from etl.simulation.scenario import LevelScenario
from etl.sqlfile import shipped


@dataclass(frozen=True, slots=True)
class Past:
    """What the database tells.

    Attributes:
        levels: Each that has a name, or items.
        cycles: From so many cycles to their next ones arrivals were counted.
        model: What cycles take; None: no cycle has told.
    """

    levels: list[LevelScenario]
    cycles: int
    model: CostModel | None


def look(connection: db.Connection, job: Job, as_of: date, every_s: float) -> Past:
    """Ask for it; nothing is written.

    Args:
        connection: In autocommit.
        job: The job; deployed.
        as_of: The day that counts as today, UTC.
        every_s: A cycle is to begin every so many seconds: what came in is told for that time.
    """
    with db.snapshot(connection) as now:
        dirty = ages(connection, rounds.latest(connection, job), as_of, now)
        rows = db.run(connection, shipped("simulate/arrivals"), job=job.name).fetchall()
        model = cost.learn(connection, job.name)
    cycles, every = rows[0][2:] if rows else (0, 0.0)
    if every <= 0:  # all at one moment, or a clock was set back
        cycles = 0
    net = {level: arrivals for level, arrivals, _, _ in rows}
    scale = Fraction(every_s) / Fraction(every) / cycles if cycles else Fraction()
    arrivals = settle(net)
    return Past(
        levels=[
            LevelScenario(
                level=level.level,
                name=level.name,
                backlog=cohorts(level, every_s),
                arrivals=arrivals.get(level.level, Fraction()) * scale,
                cost=None if model is None else model.of_level(level.level),
            )
            for level in dirty
        ],
        cycles=cycles,
        model=model,
    )


def settle(net: dict[int, int]) -> dict[int, Fraction]:
    """Arrivals that are none below 0, with the same sum.

    Items that wait may move to another level, as the date goes on: one loses them, another one
    gains them, and nothing came in. What is too much elsewhere is taken off in proportion.
    """
    gained = sum(items for items in net.values() if items > 0)
    total = max(0, sum(net.values()))
    share = Fraction(total, gained) if gained else Fraction()
    return {level: max(0, items) * share for level, items in net.items()}


def cohorts(level: LevelAge, every_s: float) -> tuple[tuple[int, int], ...]:
    """The items of a level by age, as far as three quantiles tell: one is as old as the oldest.

    Five of a hundred as p95 says, half of them as p50, the others half as old. Ages are rounded
    up to whole periods.
    """

    def periods(age_s: float | None) -> int:
        return math.ceil((age_s or 0.0) / every_s)

    one = min(1, level.items)
    late = max(one, -(-level.items // 20))
    half = max(late, -(-level.items // 2))
    middle = None if level.p50_s is None else level.p50_s / 2
    # A job that tells the oldest only: all might be as old.
    p95_s = level.oldest_s if level.p95_s is None else level.p95_s
    p50_s = p95_s if level.p50_s is None else level.p50_s
    found: Counter[int] = Counter()
    for age_s, items in (
        (level.oldest_s, one),
        (p95_s, late - one),
        (p50_s, half - late),
        (p50_s if middle is None else middle, level.items - half),
    ):
        found[periods(age_s)] += items
    return tuple(sorted((age, items) for age, items in found.items() if items))
