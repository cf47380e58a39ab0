"""How many items a worker has in hand: where items are quick, some more than the one that runs.

Ranges of keys have a pace of their own: batches.py.
"""

from collections import deque

from etl.job import Job
from etl.model import Claim, Outcome, Result
from etl.worker.batches import BatchPace
from etl.worker.session import Session

_QUICK_MS = 10.0
_AHEAD_MS = 1.0
MOST_IN_HAND = 16
"""No worker has more items in hand, however quick they are."""
_RECENT = 3  # one slow item among quick ones, or a moment's wait for a processor, means nothing


class Pace:
    """How quick the last items of one worker were."""

    is_divisible = False

    def __init__(self) -> None:
        self._recent_ms: deque[float] = deque(maxlen=_RECENT)

    def part_of(self, _: Session, claim: Claim) -> Claim:
        """What of a claim to send: all of it."""
        return claim

    def smaller(self, *_: object) -> None:
        """What to try instead of a claim that failed: nothing."""

    def note(self, _: Claim, result: Result) -> None:
        """Take in an outcome; after one that is not done, the next item is alone in hand."""
        if result.outcome is Outcome.DONE:
            self._recent_ms.append(result.duration_ms)
        else:
            self._recent_ms.clear()

    @property
    def depth(self) -> int:
        """How many to have in hand: two of the quick, of those that are quicker still a
        millisecond of work."""
        quickest_ms = min(self._recent_ms, default=_QUICK_MS)
        if quickest_ms >= _QUICK_MS:
            return 1
        return min(MOST_IN_HAND, 2 + int(_AHEAD_MS / max(quickest_ms, 0.01)))


def pace_of(job: Job) -> Pace | BatchPace:
    """The pace for the items of a job."""
    return Pace() if job.batches is None else BatchPace(job.batches, job.cut)
