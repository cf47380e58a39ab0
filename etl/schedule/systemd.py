"""A service and a timer of systemd, and bringing them in for the user's own manager.

Source: systemd.service(5), "Command lines"; systemd.exec(5); systemd.unit(5), "Specifiers".
"""

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from etl import files
from etl.errors import FileError, UsageError
from etl.schedule import ScheduledRun
from etl.schedule.when import When

_PLAIN = re.compile(r"[A-Za-z0-9_@:./=+,-]+\Z")
_NO_FAILURES = [
    "# 3: quarantined items wait for a person. 75: another cycle still runs. 143: it was",
    "# stopped, after finishing the items in hand. In none of these has the unit failed.",
    "SuccessExitStatus=3 75 143",
]
_DRAINED = ["# Only the supervisor gets the signal, and tells its workers.", "KillMode=mixed"]
_OUTLIVED = ["# The embedded server outlives the cycle that started it.", "KillMode=process"]
# These need no namespace, so they also hold where a user's manager may not make one. There
# is no PrivateTmp: PostgreSQL's socket may be in /tmp.
_HARDENING = [
    "UMask=0077",
    "NoNewPrivileges=yes",
    "RestrictSUIDSGID=yes",
    "RestrictRealtime=yes",
    "LockPersonality=yes",
    "SystemCallArchitectures=native",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
]
_HARDENING_OF_SYSTEM = [
    "ProtectSystem=full",
    "PrivateDevices=yes",
    "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes",
    "ProtectControlGroups=yes",
]


def units(run: ScheduledRun, when: When, user: str | None) -> dict[str, str]:
    """The texts of service and timer, by their file names.

    Args:
        run: What.
        when: When.
        user: Whom a unit of the system runs as; None: units of a user's own manager.

    Raises:
        UsageError: systemd cannot take the path of the program or of a file.
    """
    return {
        f"etl-{run.job}.service": _service(run, user),
        f"etl-{run.job}.timer": _timer(run, when),
    }


def _service(run: ScheduledRun, user: str | None) -> str:
    lines = ["[Unit]", f"Description=etl {run.job}: {_specifiers(run.title)}"]
    if user is not None:
        lines += ["Wants=network-online.target"]
        lines += ["After=network-online.target postgresql.service"]
    lines += ["", "[Service]", "Type=oneshot", f"ExecStart={_command(run)}"]
    lines += [f"User={user}"] if user is not None else []
    lines += [f"Environment={_quoted(f'{n}={value}')}" for n, value in run.environment.items()]
    if run.environment_file is not None:
        lines.append(f"EnvironmentFile={_path(run.environment_file)}")
    if run.log is not None:
        lines += [f"StandardOutput=append:{_path(run.log)}", "StandardError=inherit"]
    lines += _NO_FAILURES
    lines += _OUTLIVED if run.is_server_started else _DRAINED
    lines += ["TimeoutStopSec=5min"]
    lines += _HARDENING + (_HARDENING_OF_SYSTEM if user is not None else [])
    return "\n".join(lines) + "\n"


def _timer(run: ScheduledRun, when: When) -> str:
    head = ["[Unit]", f"Description=When etl {run.job} runs", "", "[Timer]"]
    return "\n".join([*head, *when.timer, "", "[Install]", "WantedBy=timers.target"]) + "\n"


def _command(run: ScheduledRun) -> str:
    """The command line. The program itself is the one word in which $ stands for itself.

    Raises:
        UsageError: Its path holds a quote or a backslash, which systemd refuses.
    """
    first, *rest = [*run.program, *run.arguments]
    if re.search(r"""["'\\]""", first):
        raise UsageError(
            f"systemd cannot take the path {first!a}", "Install etl into a folder without quotes."
        )
    return " ".join([_quoted(first), *(_quoted(word.replace("$", "$$")) for word in rest)])


def _quoted(word: str) -> str:
    if _PLAIN.match(word):
        return word
    return '"' + _specifiers(word).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _specifiers(text: str) -> str:
    return text.replace("%", "%%")


def _path(path: Path) -> str:
    """A path that is all the rest of its line."""
    if "\\" in str(path) or str(path) != str(path).strip():
        raise UsageError(f"systemd cannot take the path {str(path)!a}", "Name another file.")
    return _specifiers(str(path))


def user_folder(environ: Mapping[str, str]) -> Path:
    """Where units of the user's own manager are."""
    named = environ.get("XDG_CONFIG_HOME")
    return (Path(named) if named else Path.home() / ".config") / "systemd" / "user"


def install(texts: Mapping[str, str], folder: Path, *, may_overwrite: bool) -> list[Path]:
    """Write the units, have the user's manager read them, and start the timer.

    Args:
        texts: By file name, as ``units`` returns them.
        folder: As ``user_folder`` returns it.
        may_overwrite: Whether files that differ may be replaced.

    Returns:
        The files that were not as they should be before.

    Raises:
        UsageError: There is no such manager, or it refuses; without one nothing is written.
        FileError: A file is there already and differs, or cannot be written.
    """
    _systemctl("show", "--property=Version")
    changed: dict[Path, str] = {}
    for name, text in texts.items():
        path = folder / name
        try:
            before = path.read_text(encoding="utf-8", errors="replace") if path.exists() else None
        except OSError as error:
            raise FileError(path, None, str(error.strerror), "Nothing was written.") from error
        if before == text:
            continue
        if before is not None and not may_overwrite:
            raise FileError(path, None, "exists and differs", "--force replaces it.")
        changed[path] = text
    hint = "It was not written."
    for path, text in changed.items():
        try:
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(path, None, str(error.strerror), hint) from error
        files.replace(path, text.encode(), hint)
    _systemctl("daemon-reload")
    _systemctl("enable", "--now", next(name for name in texts if name.endswith(".timer")))
    return list(changed)


def _systemctl(*arguments: str) -> None:
    program = shutil.which("systemctl")
    reason = "there is no systemctl"
    if program is not None:
        done = subprocess.run(
            [program, "--user", *arguments], capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            return
        reason = " ".join(done.stderr.split()) or f"it ended with {done.returncode}"
    raise UsageError(
        f"systemctl --user {' '.join(arguments)}: {reason}",
        "A user's manager runs where that user has logged in. Without --install the units are "
        "printed; 'etl schedule cron' needs none.",
    )
