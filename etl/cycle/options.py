"""What a user may decide about a cycle."""

from dataclasses import dataclass
from datetime import date

from etl.settings import ItemLimit


@dataclass(frozen=True, slots=True)
class CycleOptions:
    """What a user may decide about a cycle.

    Attributes:
        as_of: The day that counts as today, UTC.
        limit: How many items at most.
        workers: How many worker processes at most; to begin with, where more may come.
        most_workers: Find out by trying how many to have, up to this; None: do not.
        reserved_percent: Share of the items for those that have been dirty longest.
        time_limit_s: Claim nothing after that many seconds; None: no limit.
        only_key: Just this item, dirty or not; None: what the prioritization lists.
        is_dry_run: Count and list, write nothing at all.
        begins_again: Leave what the last cycle has left of its round; begin with all keys.
        batch_size: Keys of every batch; None: as the job says.
        queue: Where the cycle's order is frozen: file (on this host) or postgres.
    """

    as_of: date
    limit: ItemLimit
    workers: int
    reserved_percent: int
    most_workers: int | None = None
    time_limit_s: float | None = None
    only_key: str | None = None
    is_dry_run: bool = False
    begins_again: bool = False
    batch_size: int | None = None
    queue: str = "file"
