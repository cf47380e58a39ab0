"""The ledger in schema ``etl``: which cycles ran, and what each attempt came to.

A successful item costs no round trip here. Workers write to the claim journal; the
supervisor counts from it and, when the cycle closes, copies it into ``etl.attempt`` in the
same transaction in which the record closes. That commit is synchronous and comes after
all the workers' commits, so once the record is closed everything in it is durable. Where a
cycle was cut off, the next one closes its record from the same journal.
"""

from etl.ledger.attempts import forget_attempts
from etl.ledger.closing import close_cycle, recover
from etl.ledger.record import (
    close_abandoned,
    count_held,
    open_cycle,
    update_cycle,
    update_progress,
)

__all__ = [
    "close_abandoned",
    "close_cycle",
    "count_held",
    "forget_attempts",
    "open_cycle",
    "recover",
    "update_cycle",
    "update_progress",
]
