"""How an item may end without an outcome of its own: who has the whole picture decides."""

from etl.model import Claim, Result

_IDLE = ("57P05", "25P03")  # idle_session_timeout, idle_in_transaction_session_timeout


class InterruptedItem(Exception):
    """The running statement was cancelled because the cycle stops: no attempt.

    Args:
        claim: The item.
    """

    def __init__(self, claim: Claim) -> None:
        super().__init__(claim.item_key)
        self.claim = claim


class UnsettledItem(Exception):
    """It came to no outcome of its own; who has the whole picture decides.

    Args:
        claim: The item.
        result: The outcome, should it have none else.
    """

    def __init__(self, claim: Claim, result: Result) -> None:
        super().__init__(result.message)
        self.claim = claim
        self.result = result

    @property
    def was_orderly(self) -> bool:
        """Whether somebody ended the session, or the server in order."""
        return self.result.sqlstate == "57P01"

    @property
    def was_begun(self) -> bool:
        """Whether the server may have begun it, and not ended a session that was idle before."""
        return self.result.sqlstate not in _IDLE


class SlowItem(UnsettledItem):
    """The statement ran into the timeout, and may come again with a longer one."""


class DoubtfulItem(UnsettledItem):
    """It failed as every other item would, most likely."""


class LostItem(UnsettledItem):
    """The connection is gone; whether the item was committed is not known, and does not matter:
    it is done, or dirty."""
