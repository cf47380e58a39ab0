"""When a job runs without a person: lines for cron, units for systemd, rotation of its log.

Each is a text that means the same whatever signs its paths and arguments hold.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from etl.errors import UsageError


@dataclass(frozen=True, slots=True)
class ScheduledRun:
    """What is to be run.

    Attributes:
        job: The job's command, such as ``datamart-users``.
        title: What a person calls it.
        program: What starts etl, the first an absolute path.
        arguments: What comes behind it: the job's command and its options.
        environment: Variables, none of them secret.
        environment_file: A file with more of them, which win; it may hold a password.
        log: Where its output goes; None: wherever the scheduler puts it.
        is_server_started: Whether the run may start the embedded server, which has to
            outlive it.

    Raises:
        UsageError: A part holds a line break or another control character.
    """

    job: str
    title: str
    program: tuple[str, ...]
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    environment_file: Path | None = None
    log: Path | None = None
    is_server_started: bool = False

    def __post_init__(self) -> None:
        parts = [*self.program, *self.arguments, *self.environment.values()]
        parts += [str(path) for path in (self.environment_file, self.log) if path is not None]
        for part in parts:
            if not part.isprintable():
                raise UsageError(
                    f"{part!a} holds a line break or another control character",
                    "A schedule is lines of text: use another path or argument.",
                )
