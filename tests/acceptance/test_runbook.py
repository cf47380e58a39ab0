"""The runbook has every exit status, every check of doctor, and every alert has a cure."""

import re
from pathlib import Path

from etl.cli.exit_statuses import EXIT_STATUSES
from etl.doctor import checkup, host
from tests.conftest import REPOSITORY

RUNBOOK = (REPOSITORY / "docs" / "runbook.md").read_text()


def first_column(heading: str) -> list[str]:
    """What the table below this heading begins its rows with."""
    (section,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", RUNBOOK, re.DOTALL | re.MULTILINE)
    rows = re.findall(r"^\| ([^|]+?) \|", section, re.MULTILINE)
    return rows[1:]  # but the titles


def test_every_exit_status_has_its_rows() -> None:
    told = {status.partition(",")[0] for status in first_column("By exit status")}
    assert {status for status, _ in EXIT_STATUSES} <= told


def test_every_check_of_doctor_has_its_row(tmp_path: Path) -> None:
    found = [*(verdict.check for verdict in host.look([], tmp_path)), *checkup.CHECKS]
    assert sorted(first_column("By finding of `etl doctor`")) == sorted(found)
