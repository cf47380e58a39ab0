"""What is simulated: levels with their arrivals and costs, and the settings of a cycle."""

from dataclasses import dataclass
from fractions import Fraction

from etl.errors import UsageError
from etl.ledger.cost import ItemCost
from etl.settings import ItemLimit

LARGEST = 1_000_000_000
"""Items that a scenario may have, and that may come in from one cycle to the next."""


@dataclass(frozen=True, slots=True)
class LevelScenario:
    """One level.

    Attributes:
        level: Its number; the lowest is done first.
        name: Its name.
        arrivals: So many become dirty from one cycle to the next, on the average.
        backlog: What is dirty at the beginning: age in periods, items.
        cost: What one item takes; None: nobody knows.
    """

    level: int
    name: str
    arrivals: Fraction = Fraction()
    backlog: tuple[tuple[int, int], ...] = ()
    cost: ItemCost | None = None


@dataclass(frozen=True)
class Scenario:
    """What is simulated.

    Attributes:
        levels: In any order.
        limit: Items a cycle, in normal times and when catching up.
        cycles: So many.
        reserved_percent: Share of a cycle for those that have been dirty longest.
        workers: Of a cycle.
        every_s: A cycle begins every so many seconds.
        time_limit_s: What a cycle may take; None: no limit.
        items: So many exist; who is dirty already and changes again is no arrival. None: so
            many that this never happens.
        seed: Arrivals vary by chance (Poisson), the same for the same seed; None: they do not.
        fixed_s: What a cycle takes beside its items, seconds.
        stretch: What workers take, where their items alone would take 1.
        spread: Standard deviation of actual to predicted duration.
    """

    levels: tuple[LevelScenario, ...]
    limit: ItemLimit
    cycles: int = 30
    reserved_percent: int = 10
    workers: int = 1
    every_s: float = 86_400.0
    time_limit_s: float | None = None
    items: int | None = None
    seed: int | None = None
    fixed_s: float = 0.0
    stretch: float = 1.0
    spread: float = 0.0

    @property
    def backlog(self) -> int:
        """Dirty at the beginning."""
        return sum(items for level in self.levels for _, items in level.backlog)

    @property
    def arrivals(self) -> Fraction:
        """Become dirty from one cycle to the next, on the average."""
        return sum((level.arrivals for level in self.levels), Fraction())

    @property
    def has_costs(self) -> bool:
        """Whether what an item takes is known of each level."""
        return all(level.cost is not None for level in self.levels)

    def check(self) -> None:
        """Refuse what cannot be.

        Raises:
            UsageError: More items are dirty, or become so at once, than exist, or than can be
                simulated; or there is a time limit and nobody knows what an item takes.
        """
        most = LARGEST if self.items is None else self.items
        what = "can be simulated" if self.items is None else "exist"
        for told, items in (("are dirty", self.backlog), ("become dirty a cycle", self.arrivals)):
            if items > most:
                raise UsageError(
                    f"more items {told} than {what}: {int(items):,} of {most:,}",
                    "Give --items, --backlog and --arrivals that fit together.",
                )
        if self.time_limit_s is not None and not self.has_costs:
            raise UsageError(
                "nobody knows how many items fit into the time limit",
                "Give what one takes, such as --item-ms 0.6, or a job that has had cycles.",
            )
