"""Documents, word for word, as a new user would: an empty folder, a server of one's own."""

import getpass
import grp
import os
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.acceptance import documents
from tests.conftest import REPOSITORY, etl_program
from tests.states import state_folder


@pytest.fixture
def beginner(tmp_path: Path, environment: dict[str, str]) -> Generator[dict[str, str]]:
    """The environment of somebody who has just installed etl."""
    programs = tmp_path / "bin"
    programs.mkdir()
    etl_program(programs)
    search = {"PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(REPOSITORY)}
    with state_folder() as state:
        yield {**environment, **search, "ETL_STATE_DIR": str(state)}


def test_the_page_on_adding_a_job_is_true(tmp_path: Path, beginner: dict[str, str]) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    follow("adding-a-job", folder, beginner)


def test_the_page_on_schedules_is_true(tmp_path: Path, beginner: dict[str, str]) -> None:
    del beginner["ETL_STATE_DIR"]
    # It prints the paths of the one who calls it.
    caller = f"su {getpass.getuser()} {grp.getgrgid(os.getegid()).gr_name}"
    renamed = {f"{sys.executable} -m etl": "/opt/etl/.venv/bin/etl", caller: "su ana ana"}
    follow("schedule", tmp_path, {**beginner, "HOME": "/home/ana"}, renamed)


def follow(
    name: str, folder: Path, environment: dict[str, str], renamed: dict[str, str] | None = None
) -> None:
    """Run every command of a document, and compare what it prints with what is shown."""
    text = (REPOSITORY / "docs" / f"{name}.md").read_text()
    steps = list(documents.steps(text))
    assert len(steps) == sum(line.startswith("$ ") for line in text.splitlines())
    for step in steps:
        output = documents.run(step, folder, environment)
        for printed, shown in (renamed or {}).items():
            output = output.replace(printed, shown)
        assert documents.is_as_shown(step, output), (
            f"$ {step.command}\n--- shown\n{step.shown}\n--- printed\n{output}"
        )
