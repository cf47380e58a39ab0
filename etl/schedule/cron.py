"""A line of a crontab, and the rotation of the log that it writes.

Source: crontab(5): a percent sign ends the command unless a backslash stands before it;
logrotate(8).
"""

import getpass
import grp
import os
import shlex
from pathlib import Path

from etl.errors import UsageError
from etl.schedule import ScheduledRun
from etl.schedule.when import When

_LONGEST = 998
"""Characters of a command that Debian's cron reads: MAX_COMMAND less the line's end."""
_ROTATION = """\
"{log}" {{
    su {user} {group}
    weekly
    rotate 8
    compress
    delaycompress
    missingok
    notifempty
    create 0600
}}"""


def line(run: ScheduledRun, when: When) -> str:
    """The line of a crontab. Its command needs nothing of cron's environment but HOME.

    No flock: a cycle that meets another ends at once, with 75.

    Raises:
        UsageError: Cron cannot take this interval or this command.
    """
    parts = ["umask 077"]
    if run.log is not None:
        parts.append(f"exec >>{shlex.quote(str(run.log))} 2>&1")
    if run.environment or run.environment_file is not None:
        parts.append("set -a")
    parts += [f"{name}={shlex.quote(value)}" for name, value in run.environment.items()]
    if run.environment_file is not None:
        parts.append(f". {shlex.quote(str(run.environment_file))}")
    parts.append(f"exec {shlex.join([*run.program, *run.arguments])}")
    command = "; ".join(parts)
    if "%" in command and "\\" in command:
        raise UsageError(
            "cron cannot take a percent sign and a backslash in one command",
            "Use other paths, or 'etl schedule systemd'.",
        )
    command = command.replace("%", "\\%")
    if len(command.encode()) > _LONGEST:
        raise UsageError(
            f"the command is longer than the {_LONGEST} bytes that cron reads",
            "Put settings into an environment file, or use 'etl schedule systemd'.",
        )
    return f"{when.cron} {command}"


def rotation(log: Path) -> str:
    """What logrotate needs to know of a log. Every run opens it anew: nothing is signalled.

    Raises:
        UsageError: logrotate cannot take this path.
    """
    if not str(log).isprintable() or '"' in str(log):
        raise UsageError(f"logrotate cannot take the path {str(log)!a}", "Name another --log.")
    group = grp.getgrgid(os.getegid()).gr_name
    return _ROTATION.format(log=log, user=getpass.getuser(), group=group)
