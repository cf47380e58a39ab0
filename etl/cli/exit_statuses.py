"""What the exit statuses mean, and which one a cycle ends with."""

from etl.model import INCOMPLETE, CycleRecord

SOME_FAILED, QUARANTINED = 1, 3

EXIT_STATUSES = (
    ("0", "all right"),
    ("1", "items failed or were not got to, a check found something wrong, or too many rejects"),
    ("2", "usage or configuration; or what every item would meet: privileges, a full disk"),
    ("3", "nothing failed now, but quarantined items wait for a person"),
    ("69", "database unreachable, or workers that cannot start"),
    ("75", "another cycle holds the lock, or another bench runs"),
    ("128+n", "stopped by signal n, after finishing the items in hand"),
)


def epilog() -> str:
    """The end of ``etl --help``: a list that is not wrapped."""
    lines = [f"  {status:<6} {meaning}" for status, meaning in EXIT_STATUSES]
    return "\n".join(["\b", "Exit status:", *lines])


def exit_status(record: CycleRecord) -> int:
    """How a process ends after a cycle with this record."""
    if record.stop_signal is not None:
        return 128 + record.stop_signal
    if record.failed or record.orphaned or record.stop_reason == INCOMPLETE:
        return SOME_FAILED
    return QUARANTINED if record.quarantined else 0
