"""How much of a key range a worker does at once: batches that take about as long as they should.

A batch that fails is halved, and so are the halves, until the key that fails is alone: that one
has failed, all others are done. So one bad key among n costs about 2 log2(n) batches more, each
half as long as the one before.
"""

from psycopg.errors import LockNotAvailable, QueryCanceled

from etl.errors import DatabaseUnreachableError, FileError
from etl.job.shape import Batches
from etl.keyrange import beginning_at, bounds, cut, keys_in, whole
from etl.model import Claim, Outcome, Result
from etl.sqlfile import Statement
from etl.worker.session import Session

_HELD_UP = (LockNotAvailable, QueryCanceled)


class BatchPace:
    """Cuts ranges into batches, for one worker.

    Args:
        batches: What the job wants.
        cut: The job's cut.sql.
    """

    is_divisible = True
    depth = 1

    def __init__(self, batches: Batches, cut: Statement) -> None:
        self._batches = batches
        self._cut = cut
        self._size = float(batches.start)
        # What is left of batches that failed, the first last: where each part ends, and its keys.
        self._halves: list[tuple[int, int]] = []

    def part_of(self, session: Session, claim: Claim) -> Claim:
        """The next batch of a range; the range itself where it is small enough.

        Raises:
            DatabaseUnreachableError: The connection is lost.
        """
        try:
            return self._part_of(session, claim)
        except FileError as error:
            if not isinstance(error.__cause__, _HELD_UP):
                raise
            self._halves.clear()
            return claim  # somebody holds the table: the statement itself tells, and is busy

    def _part_of(self, session: Session, claim: Claim) -> Claim:
        first, last = bounds(claim)
        if self._halves and not first <= self._halves[-1][0] <= last:
            self._halves.clear()  # of another range, which was given back
        if self._halves:
            end, keys = self._halves.pop()
            if keys == 1:  # it will be told by its name should it be the one that fails
                key, keys = self._end_of(session, cut(claim, end, 1) if end < last else claim, 1)
                claim, end = (beginning_at(claim, key), key) if keys else (claim, end)
        elif keys_in(claim) <= max(1, self._size):
            return claim
        else:
            end, keys = self._end_of(session, claim, int(self._size))
        return cut(claim, end, keys) if end < last else claim

    def smaller(self, session: Session, part: Claim, result: Result) -> Claim | None:
        """The range again, whose next part is half of the one that failed; None: go on."""
        first, last = bounds(part)
        if result.outcome is Outcome.DONE or first == last:
            return None
        half = max(1, keys_in(part) // 2)  # there may be others by now beside the one it had
        try:
            end, keys = self._end_of(session, part, half)
            if end >= last and keys > 1:  # others have gone since it was listed
                end, keys = self._end_of(session, part, keys // 2)
        except FileError as error:
            if not isinstance(error.__cause__, _HELD_UP):
                raise
            return None
        except DatabaseUnreachableError:  # it comes again on the next connection
            return whole(part)
        if end >= last:  # fewer keys than it had when it was listed, all in the first half
            return None
        self._halves += [(last, max(0, keys_in(part) - keys)), (end, keys)]
        self._size = max(1.0, min(self._size, half))
        return whole(part)

    def note(self, part: Claim, result: Result) -> None:
        """Learn from an outcome how large the next batch should be."""
        if result.outcome is not Outcome.DONE or not result.duration_ms or not keys_in(part):
            return
        due = keys_in(part) * self._batches.target_s * 1000 / result.duration_ms
        # A short last part of a range says little about how many keys there is time for.
        if due > self._size and keys_in(part) < self._size / 2:
            return
        largest = min(self._size * self._batches.growth, self._batches.most)
        self._size = max(1.0, min(due, largest))

    def _end_of(self, session: Session, claim: Claim, size: int) -> tuple[int, int]:
        first, last = bounds(claim)
        row = session.ask(
            self._cut, {**claim.values, "first_key": first, "last_key": last, "size": size}
        )
        return int(row[0]), int(row[1])
