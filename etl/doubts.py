"""Whose fault a failure is that every item would meet: everybody's, or the item's own.

A missing privilege meets everybody; one damaged page, or one item's path through a procedure,
meets few. Who meets it goes to the end of the queue. When it comes again and meets it again,
the fault is its own; where several in a row meet it, it is everybody's.
"""

_IN_A_ROW = 3


class Doubts:
    """What one worker has seen of them."""

    def __init__(self) -> None:
        self._in_a_row: list[str] = []
        self._doubted: set[str] = set()
        self._has_done = False

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
            return True
        self._in_a_row.append(key)
        self._doubted.add(key)
        return False
