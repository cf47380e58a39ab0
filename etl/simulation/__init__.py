"""What many cycles of a job come to, without running one: order, freshness, backlog.

Items are counted, not kept: how many became dirty in which period and level. So a thousand
million of them take as long, and as much memory, as a thousand. All counts are whole numbers.

What is assumed: an item keeps the level in which it became dirty, nothing fails, and what comes
in from one cycle to the next comes in just before the later one, as with a nightly load. Within
a level the newest are done first: a job's own order within a level (volume, say) does not
depend on the age, and this is the worst that it can do to the oldest.
"""

from etl.simulation.arrivals import Arrivals
from etl.simulation.cohorts import Ages, Cohorts
from etl.simulation.run import Outlook, Shown, run
from etl.simulation.scenario import LevelScenario, Scenario
from etl.simulation.simulation import Cycle, LevelState, Simulation

__all__ = [
    "Ages",
    "Arrivals",
    "Cohorts",
    "Cycle",
    "LevelScenario",
    "LevelState",
    "Outlook",
    "Scenario",
    "Shown",
    "Simulation",
    "run",
]
