"""What pages list is what there is: exit statuses, checks, commands, tests, layers."""

import re
import tomllib
from pathlib import Path

from etl.cli.exit_statuses import EXIT_STATUSES
from etl.doctor import checkup, host
from tests.conftest import REPOSITORY, runner


def first_column(page: str, heading: str) -> list[str]:
    """What the table below this heading begins its rows with."""
    text = (REPOSITORY / "docs" / page).read_text()
    (section,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    rows = re.findall(r"^\| ([^|]+?) \|", section, re.MULTILINE)
    return rows[1:]  # but the titles


def test_every_exit_status_has_its_rows() -> None:
    told = {status.partition(",")[0] for status in first_column("runbook.md", "By exit status")}
    assert {status for status, _ in EXIT_STATUSES} <= told


def test_every_check_of_doctor_has_its_row(tmp_path: Path) -> None:
    found = [*(verdict.check for verdict in host.look([], tmp_path)), *checkup.CHECKS]
    assert sorted(first_column("runbook.md", "By finding of `etl doctor`")) == sorted(found)


def test_every_command_has_its_tests(environment: dict[str, str]) -> None:
    commands = re.findall(r"^  ([a-z][a-z-]+)  ", runner(environment)("--help").out, re.MULTILINE)
    assert sorted(first_column("tests.md", "By command")) == sorted(commands)


def test_every_promise_has_its_tests() -> None:
    promises = (REPOSITORY / "docs" / "promises.md").read_text()
    told = [row[:2].strip() for row in first_column("tests.md", "By promise")][:-1]
    assert told == re.findall(r"^## (\d+)\.", promises, re.MULTILINE)


def test_every_file_of_tests_is_named_and_those_that_are_named_are_there() -> None:
    page = (REPOSITORY / "docs" / "tests.md").read_text()
    named = set(re.findall(r"[a-z_/]+/test_[a-z_]+\.py", page)) - {"tests/integration/test_held.py"}
    folder = REPOSITORY / "tests"
    assert named == {str(path.relative_to(folder)) for path in folder.rglob("test_*.py")}


def test_the_layers_are_told_in_their_order() -> None:
    contributing = (REPOSITORY / "CONTRIBUTING.md").read_text()
    (told,) = re.findall(r"^## Layers\n.*?^```\n(.*?)^```", contributing, re.DOTALL | re.MULTILINE)
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    contract, *_ = project["tool"]["importlinter"]["contracts"]
    layers = [re.split(r" [|:] ", layer) for layer in contract["layers"]]
    modules = [name for layer in layers for name in layer if name != "__main__"]
    assert [line.split()[0] for line in told.splitlines()] == modules
