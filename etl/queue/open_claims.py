"""The claims that have come to no outcome yet, as far as a claim journal tells.

The supervisor follows them while the cycle runs; after a crash the next cycle follows the
same journal from its beginning, and so comes to the same sums.
"""

from dataclasses import dataclass, field, replace

from etl.model import Claim, Outcome, Result
from etl.queue.journal import CLAIMED, DEFERRED, TAKEN_BACK, Entry

Settled = tuple[int, Claim, Result]
_CAME_NO_MORE = "the cycle ended before it came again"


@dataclass
class OpenClaims:
    """What is in hand, and what waits for its second try.

    Attributes:
        in_hand: The claim that each worker has in hand, by number of the worker.
        deferred: The claims that failed for now and are to come again, by key of the item,
            with the worker that had it and the result.
        taken_back: Positions of the claims whose outcome a crash of the server undid.
    """

    in_hand: dict[int, Claim] = field(default_factory=dict[int, Claim])
    deferred: dict[str, Settled] = field(default_factory=dict[str, Settled])
    taken_back: set[int] = field(default_factory=set[int])

    def follow(self, entry: Entry) -> None:
        """Take in one line of the journal."""
        if entry.event == CLAIMED:
            self.in_hand[entry.worker] = entry.claim
            self.deferred.pop(entry.claim.item_key, None)
            return
        if entry.event == TAKEN_BACK:
            self.taken_back.add(entry.claim.position)
            return
        self.in_hand.pop(entry.worker, None)
        if entry.event == DEFERRED and entry.result is not None:
            self.deferred[entry.claim.item_key] = (entry.worker, entry.claim, entry.result)

    def settle(self, reason: str) -> list[Settled]:
        """The outcomes to record for them when the cycle ends without any other.

        Who was deferred has failed also where no second try came: else the item would cost
        every cycle the same again, and never be held.

        Args:
            reason: What became of the workers.
        """
        orphaned = Result(Outcome.ORPHANED, message=reason)
        lost = [(worker, claim, orphaned) for worker, claim in self.in_hand.items()]
        return lost + [
            (worker, claim, replace(result, message=f"{result.message}; {_CAME_NO_MORE}"))
            for worker, claim, result in self.deferred.values()
        ]
