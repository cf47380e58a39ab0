"""docs/adding-a-job.md, word for word, as a new user would: empty folder, server of its own."""

import os
import shutil
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from etl.embedded import EmbeddedServer
from tests.acceptance import documents
from tests.conftest import REPOSITORY


@pytest.fixture
def beginner(tmp_path: Path, environment: dict[str, str]) -> Generator[dict[str, str]]:
    """The environment of somebody who has just installed etl."""
    state = Path(tempfile.mkdtemp(prefix="etl-test-"))
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "etl").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m etl "$@"\n')
    (programs / "etl").chmod(0o755)
    search = {"PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(REPOSITORY)}
    yield {**environment, **search, "ETL_STATE_DIR": str(state)}
    server = EmbeddedServer.of(state, os.environ)
    server.stop()
    shutil.rmtree(server.home, ignore_errors=True)
    shutil.rmtree(state, ignore_errors=True)


def test_the_document_does_what_it_says(tmp_path: Path, beginner: dict[str, str]) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    text = (REPOSITORY / "docs" / "adding-a-job.md").read_text()
    steps = list(documents.steps(text))
    assert len(steps) == sum(line.startswith("$ ") for line in text.splitlines())
    for step in steps:
        output = documents.run(step, folder, beginner)
        assert documents.is_as_shown(step, output), (
            f"$ {step.command}\n--- shown\n{step.shown}\n--- printed\n{output}"
        )
