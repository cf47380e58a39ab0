"""Why a broker ended a connection, in one line; and whether it makes sense to try again."""

import re

from pika.exceptions import ChannelClosedByBroker

from etl.errors import UsageError
from etl.stream.address import Broker

BY_US = 200
"""What this side gives as code when it closes a connection."""
_DIFFERENT = 406  # PRECONDITION_FAILED
_WRAPPED = re.compile(r"\w+: \((\d+)\) '(.*)'")


def queue_differs(broker: Broker, reason: object) -> UsageError | None:
    """The error, where a queue is there with other arguments; the code means other things too."""
    if (
        not isinstance(reason, ChannelClosedByBroker)
        or reason.reply_code != _DIFFERENT
        or "inequivalent" not in reason.reply_text
    ):
        return None
    return UsageError(
        f"a queue at {broker.label} is not as the job says: {reason.reply_text}",
        "Correct [stream] in job.toml; or empty that queue and delete it.",
    )


def words(reason: object) -> str:
    """Why a connection ended, in one line: the innermost reason that the library knows."""
    while True:
        inner = [getattr(reason, "exception", None), *getattr(reason, "exceptions", ())]
        inner += [each for each in getattr(reason, "args", ()) if isinstance(each, Exception)]
        found = next((each for each in inner if isinstance(each, BaseException)), None)
        if found is None:
            break
        reason = found
    code, text = getattr(reason, "reply_code", None), getattr(reason, "reply_text", None)
    told = " ".join(str(reason).split())
    if wrapped := _WRAPPED.fullmatch(told):  # the library kept no more of it than its text
        code, text = wrapped.groups()
    if code is not None:
        return f"{text}" if code == BY_US else f"{text} ({code})"
    return told or type(reason).__name__
