"""Everything a user can get wrong or run into, one class each.

A message says what is wrong and where, the hint what to do, the class how the process
ends. Nothing else in this package decides an exit code for an error.
"""

from pathlib import Path
from typing import ClassVar


class EtlError(Exception):
    """Ends a command with one clear message.

    Args:
        message: What is wrong and where.
        hint: What to do about it; may be empty.
    """

    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(EtlError):
    """An argument, an environment variable or a setting makes no sense."""


class StateFolderError(EtlError):
    """The folder for queue and lock files cannot be used, or not safely."""


class FileError(EtlError):
    """A file of a job, or an SQL file, is missing or broken.

    Args:
        path: The file.
        line: Its line, counted from 1; None where the file as a whole is meant.
        message: What is wrong with it.
        hint: What to do about it.
    """

    def __init__(self, path: Path, line: int | None, message: str, hint: str = "") -> None:
        place = f"{path}:{line}" if line else str(path)
        super().__init__(f"{place}: {message}", hint)


class SchemaError(EtlError):
    """The database does not have the schema that this version works with."""


class PrivilegeError(EtlError):
    """This login may not do in this database what the command is for."""


class InputError(EtlError):
    """The data to load is not what it should be; nothing was loaded."""


class TooManyRejectsError(EtlError):
    """More lines were rejected than --max-rejects allows; nothing was loaded."""

    exit_code = 1


class DatabaseUnreachableError(EtlError):
    """No connection to the database, or it was lost for good."""

    exit_code = 69


class BrokerUnreachableError(EtlError):
    """No connection to the message broker, or it was lost for good."""

    exit_code = 69


class EnvironmentFaultError(EtlError):
    """No item can succeed: privileges, disk, a missing function. The cycle stops."""


class WorkerStoppedError(EtlError):
    """A worker found that no item can succeed, or that its queue is gone."""


class WorkerStartError(EtlError):
    """Worker processes end before they claim anything."""

    exit_code = 69


class CycleRunningError(EtlError):
    """Another cycle of this job runs on this database."""

    exit_code = 75


class BenchRunningError(EtlError):
    """Another bench runs on this host; the two would measure each other."""

    exit_code = 75
