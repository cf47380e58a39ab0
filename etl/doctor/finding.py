"""What a check has found."""

from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """How bad it is, the worst first."""

    ERROR = 1
    WARNING = 2
    NOTE = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know.

    Attributes:
        severity: How bad it is.
        check: Which check found it.
        what: What is so.
        why: Why it matters.
        command: What mends it, to be pasted; or what to do.
    """

    severity: Severity
    check: str
    what: str
    why: str
    command: str
