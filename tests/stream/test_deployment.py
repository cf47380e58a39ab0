"""The files in deploy/ name commands and options that exist, and the limits that the page tells."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from etl.cli.main import build
from tests.conftest import REPOSITORY

FOLDER = REPOSITORY / "deploy" / "telemetry"
COMPOSE = (FOLDER / "compose.yaml").read_text()
UNIT = FOLDER / "etl-telemetry.service"


def _options(command: list[str]) -> set[str]:
    """The options of a command of the real program."""
    found: Any = get_command(build())
    for name in command:
        found = found.commands[name]
    return {option for parameter in found.params for option in parameter.opts}


def _check(arguments: list[str]) -> None:
    assert arguments[0] == "etl"
    words = [word for word in arguments[1:] if word.isidentifier() or word == "init"]
    names = [word for word in words if word in ("telemetry", "health", "init")]
    given = {word for word in arguments if word.startswith("--")}
    assert names
    assert given <= _options(names), arguments


def _lists(text: str, key: str) -> list[list[str]]:
    """The lists of texts behind a key, as both files write them on one line."""
    return [re.findall(r'"([^"]*)"', found) for found in re.findall(rf"{key}\s*(\[.*\])", text)]


def test_the_unit_starts_what_there_is() -> None:
    (line,) = re.findall(r"^ExecStart=(.*)$", UNIT.read_text(), re.MULTILINE)
    _check(["etl", *shlex.split(line)[1:]])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/usr/local/bin/etl", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True, check=False
    )
    assert UNIT.name not in done.stderr, done.stderr


def test_compose_and_image_start_what_there_is() -> None:
    commands = _lists(COMPOSE, "command:")
    assert len(commands) == 2
    for command in commands:
        _check(["etl", *command])
    health = [test[1:] for test in _lists(COMPOSE, "test:") if test[1] == "etl"]
    assert len(health) == 1
    _check(health[0])
    (default,) = _lists((FOLDER / "Dockerfile").read_text(), "^CMD|\nCMD")
    _check(["etl", *default])


def test_limits_are_those_that_were_asked_for() -> None:
    service = COMPOSE.partition("\n  telemetry:\n")[2]
    assert '"--workers", "2"' in service
    assert "    cpus: 2\n" in service
    assert "    mem_limit: 2g\n" in service
    assert "MemoryMax=2G" in UNIT.read_text()
    image = (FOLDER / "Dockerfile").read_text()
    for path in re.findall(r"^COPY (?!--from)(.*) \S+$", image, re.MULTILINE):
        assert all((REPOSITORY / name).exists() for name in path.split())
