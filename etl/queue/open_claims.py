"""The claims that have come to no outcome yet, as far as a claim journal tells.

The supervisor follows them while the cycle runs; after a crash the next cycle follows the
same journal from its beginning, and so comes to the same sums.
"""

from dataclasses import dataclass, field

from etl.model import Claim, Outcome, Result
from etl.queue.journal import CLAIMED, DEFERRED, TAKEN_BACK, Entry

Settled = tuple[int, Claim, Result]
_CAME_NO_MORE = "the cycle ended before it came again"


@dataclass
class OpenClaims:
    """What is in hand, and what waits for its second try.

    Attributes:
        in_hand: The claims that each worker has in hand, by number of the worker and position,
            the oldest first: that is the one it works on, the next one only waits.
        deferred: The claims that failed for now and are to come again, by key of the item,
            with the worker that had it and the result.
        taken_back: Positions of the claims whose outcome a crash of the server undid.
    """

    in_hand: dict[int, dict[int, Claim]] = field(default_factory=dict[int, dict[int, Claim]])
    deferred: dict[str, Settled] = field(default_factory=dict[str, Settled])
    taken_back: set[int] = field(default_factory=set[int])

    def follow(self, entry: Entry) -> None:
        """Take in one line of the journal."""
        claim = entry.claim
        if entry.event == CLAIMED:
            self.in_hand.setdefault(entry.worker, {})[claim.position] = claim
            self.deferred.pop(claim.item_key, None)
            return
        if entry.event == TAKEN_BACK:
            self.taken_back.add(claim.position)
            return
        self.in_hand.get(entry.worker, {}).pop(claim.position, None)
        self.deferred.pop(claim.item_key, None)  # of another host's worker no claim is told
        if entry.event == DEFERRED and entry.result is not None:
            self.deferred[claim.item_key] = (entry.worker, claim, entry.result)

    def held_by(self, worker: int) -> list[Claim]:
        """The claims that a worker has in hand, the one it works on first."""
        return list(self.in_hand.get(worker, {}).values())

    def settle(self, reason: str) -> list[Settled]:
        """The outcomes to record when the cycle ends without any other.

        What a worker only had waiting was never begun: it has none. Who was deferred has failed
        also where no second try came: else the item would cost every cycle the same again, and
        never be held.

        Args:
            reason: What became of the workers.
        """
        orphaned = Result(Outcome.ORPHANED, message=reason)
        lost = [
            (worker, claim, orphaned)
            for worker in self.in_hand
            for claim in self.held_by(worker)[:1]
        ]
        return lost + [
            (worker, claim, result._replace(message=f"{result.message}; {_CAME_NO_MORE}"))
            for worker, claim, result in self.deferred.values()
        ]
