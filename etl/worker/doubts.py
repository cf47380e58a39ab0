"""Whose fault a failure is that every item would meet: everybody's, or the item's own.

A missing privilege meets everybody; one damaged page, or one item's path through a procedure,
meets few. Who meets it goes to the end of the queue. When it comes again and meets it again,
the fault is its own; where several in a row meet it, it is everybody's.

A server that went down met all who were in hand. An item that takes it down must not do so for
ever, so the second time is its own fault. But the items that were in hand together come again
together: one whose session was ended because another one crashed has more lives.
"""

from collections import Counter

_IN_A_ROW = 3
_LIVES, _LIVES_OF_A_BYSTANDER = 1, 3


class Doubts:
    """What one worker has seen of them.

    Attributes:
        have_spread: A failure was everybody's: whoever else meets it now need not pay for it.
    """

    def __init__(self) -> None:
        self.have_spread = False
        self._in_a_row: list[str] = []
        self._doubted: set[str] = set()
        self._has_done = False
        self._given_back: Counter[str] = Counter()

    def dispel(self, *, is_done: bool) -> None:
        """An item ran, and so others may.

        Args:
            is_done: Whether it was done, too.
        """
        self._in_a_row.clear()
        self._has_done = self._has_done or is_done

    def is_own(self, key: str) -> bool:
        """Whether the item that has failed so is to blame: others were done meanwhile."""
        return key in self._doubted and (self._has_done or key not in self._in_a_row)

    def is_everybodys(self, key: str) -> bool:
        """Whether it is time to stop, now that this item has failed so; else it is noted."""
        if key in self._in_a_row or len(self._in_a_row) == _IN_A_ROW - 1:
            self.have_spread = True
            return True
        self._in_a_row.append(key)
        self._doubted.add(key)
        return False

    def clears(self, key: str, *, is_bystander: bool) -> bool:
        """Whether an item that was in hand when the server went down may come again.

        Args:
            key: The item's.
            is_bystander: Its session was told that it ends because another one crashed.
        """
        self._given_back[key] += 1
        return self._given_back[key] <= (_LIVES_OF_A_BYSTANDER if is_bystander else _LIVES)
