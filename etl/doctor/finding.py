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
        what: What is so.
        why: Why it matters.
        command: What mends it, to be pasted; or what to do.
    """

    severity: Severity
    what: str
    why: str
    command: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one check.

    Attributes:
        check: Its name.
        findings: What it found; empty where all is right.
        problem: Why it could not be made; empty where it was.
    """

    check: str
    findings: tuple[Finding, ...]
    problem: str = ""

    @property
    def state(self) -> str:
        """As people read it: all right, found something, or not checked and why."""
        if self.problem:
            return f"not checked: {self.problem}"
        return f"found {len(self.findings)}" if self.findings else "all right"


def unchecked(check: str, problem: str, hint: str) -> Verdict:
    """The verdict of a check that could not be made, told as a note."""
    why = "What it would have found is not known."
    note = Finding(Severity.NOTE, f"not checked: {problem}", why, hint)
    return Verdict(check, (note,), problem)
