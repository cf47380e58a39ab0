"""What the attempts of one cycle tell: which took longest, and what went wrong."""

from dataclasses import dataclass

from etl import db
from etl.ledger.cycles import CycleRow
from etl.sqlfile import shipped

_FAILURES = 30


@dataclass(frozen=True, slots=True)
class SlowItem:
    """One of the attempts that took longest.

    Attributes:
        from_s: When it was claimed, seconds since the cycle began.
        weight: How much work it was, as the job says; None: it says nothing.
    """

    item_key: str
    level: int
    worker: int
    outcome: str
    from_s: float
    duration_ms: float
    weight: float | None


@dataclass(frozen=True, slots=True)
class Failure:
    """Attempts that came to the same outcome with the same SQLSTATE.

    Attributes:
        sqlstate: None: the worker died, or there is none.
        message: The commonest; None: none has any.
        messages: How many different ones there are.
        item_key: The key of one of them.
    """

    outcome: str
    sqlstate: str | None
    attempts: int
    message: str | None
    messages: int
    item_key: str


def slowest(connection: db.Connection, cycle: CycleRow, most: int) -> list[SlowItem]:
    """The attempts of a cycle that took longest, the longest first."""
    values = {"cycle_id": cycle.cycle_id, "started_at": cycle.started_at, "most": most}
    return [SlowItem(*row) for row in db.run(connection, shipped("ledger/slowest"), **values)]


def failures(connection: db.Connection, cycle: CycleRow) -> list[Failure]:
    """What went wrong in a cycle, the most frequent first."""
    values = {"cycle_id": cycle.cycle_id, "most": _FAILURES}
    return [Failure(*row) for row in db.run(connection, shipped("ledger/failures"), **values)]
