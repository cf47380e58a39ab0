"""What a queue has run in the item's own transaction, around the job's statements."""

from collections.abc import Sequence
from typing import Protocol

from etl.model import Claim
from etl.sqlfile import Statement

Call = tuple[bytes, list[bytes | None]]
"""Name of a prepared statement, and the values of its parameters."""


class Frame(Protocol):
    """The statements around those of an item; they are prepared on the worker's connection.

    Attributes:
        undo: Undoes what the item's statements did, where one of them failed.
    """

    undo: Statement

    def before(self) -> list[Call]:
        """What is sent before them."""
        ...

    def behind(self, claim: Claim) -> list[Call]:
        """What is sent behind them, and makes them final."""
        ...

    def beyond(self, claim: Claim) -> list[Call]:
        """What is sent with them, and belongs to the next item."""
        ...

    def heed(self, claim: Claim, row: Sequence[bytes | None] | None) -> None:
        """The item is final; this row came of what belongs to the next one, if any."""
        ...
