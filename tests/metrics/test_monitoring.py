"""The dashboard and the alerts in docs/monitoring ask for what `etl metrics` tells."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from etl.metrics.families import FAMILIES
from tests.conftest import REPOSITORY
from tests.metrics.conftest import Scrape

FOLDER = REPOSITORY / "docs" / "monitoring"
VARIABLES = {"$job": ".*", "$window": "1h"}
_NAME = re.compile(r"\betl_[a-z_]+")
_SELECTOR = re.compile(r"\b(?P<name>etl_[a-z_]+)(?:\{(?P<labels>[^}]*)\})?")
_LABEL = re.compile(r"(?P<label>\w+)(?P<sign>=~|!=|!~|=)\"(?P<value>[^\"]*)\"")
_GROUPED = re.compile(r"\b(?:by|on|without|ignoring) \((?P<labels>[^)]*)\)")
_OF_PROMETHEUS = {"instance", "job", "le"}


def dashboard() -> dict[str, Any]:
    """The dashboard."""
    found: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text())
    return found


def asked_by_dashboard() -> list[tuple[str, str]]:
    """Each expression of the dashboard, its variables filled in, and its legend."""
    found: list[tuple[str, str]] = []
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            expression = target["expr"]
            for variable, value in VARIABLES.items():
                expression = expression.replace(variable, value)
            found.append((expression, target["legendFormat"]))
    return found


def asked_by_alerts() -> list[str]:
    """Each expression of the alerts; every alert has one, on one line."""
    text = (FOLDER / "alerts.yml").read_text()
    found = re.findall(r"^ {8}expr: (\S.*)$", text, re.MULTILINE)
    assert len(found) == text.count("- alert:") == text.count("expr:") > 10
    return found


@pytest.fixture
def promtool() -> Callable[..., str]:
    """Runs promtool, which Debian has in its package prometheus."""
    program = shutil.which("promtool")
    if program is None:
        assert os.environ.get("CI") != "true", "promtool is missing: apt-get install prometheus"
        pytest.skip("promtool is missing: apt-get install prometheus")

    def run(*arguments: str | Path, stdin: str = "") -> str:
        done = subprocess.run(
            [program, *arguments], input=stdin, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def assert_all_is_told_documented_and_looked_at(text: str) -> None:
    """Each metric of the engine, by name."""
    told = set(re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE))
    ends = {"counter": "_total", "info": "_info"}
    names = {name + ends.get(kind, "") for name, (kind, _) in FAMILIES.items()}
    assert told == names
    documented = set(_NAME.findall((REPOSITORY / "docs" / "monitoring.md").read_text()))
    assert names <= documented
    asked = " ".join([*(expression for expression, _ in asked_by_dashboard()), *asked_by_alerts()])
    of_no_panel = {"etl_build_info", "etl_last_cycle_items", "etl_oldest_dirty_age_seconds"}
    of_no_panel |= {"etl_last_cycle_finished_timestamp_seconds"}
    assert {name for name in names if name not in asked} == of_no_panel


@pytest.mark.usefixtures("worked", "running")
def test_every_metric_and_label_that_is_asked_for_is_told(
    scrape: Callable[[], Scrape], promtool: Callable[..., str]
) -> None:
    found = scrape()
    assert "error" not in promtool("check", "metrics", stdin=found.text)
    labels: dict[str, dict[str, set[str]]] = {name: {} for name in found.names}
    for name, pairs in found.samples:
        for label, value in pairs:
            labels[name].setdefault(label, set()).add(value)
    legends = dict(asked_by_dashboard())
    for expression in [*legends, *asked_by_alerts()]:
        known: set[str] = set()
        for selector in _SELECTOR.finditer(_GROUPED.sub("", expression)):
            assert selector["name"] in labels, expression
            told = labels[selector["name"]]
            known |= told.keys()
            for match in _LABEL.finditer(selector["labels"] or ""):
                assert match["label"] in told, expression
                if match["sign"] in ("=", "!="):
                    assert match["value"] in told[match["label"]], expression
        grouped = {g.strip() for m in _GROUPED.finditer(expression) for g in m["labels"].split(",")}
        grouped |= set(re.findall(r"\{\{(\w+)\}\}", legends.get(expression, "")))
        assert grouped <= known | _OF_PROMETHEUS, expression
    assert_all_is_told_documented_and_looked_at(found.text)


def test_the_alerts_fire_when_they_should(promtool: Callable[..., str], tmp_path: Path) -> None:
    promtool("check", "config", FOLDER / "prometheus.yml")
    promtool("test", "rules", Path(__file__).parent / "alerts.test.yml")
    named = set(re.findall(r"- alert: (\w+)", (FOLDER / "alerts.yml").read_text()))
    tested = (Path(__file__).parent / "alerts.test.yml").read_text()
    documented = (REPOSITORY / "docs" / "monitoring.md").read_text()
    assert named == {name for name in named if name in tested and f"`{name}`" in documented}


def test_the_expressions_of_the_dashboard_can_be_read(
    promtool: Callable[..., str], tmp_path: Path
) -> None:
    rules = [
        {"record": f"asked:{number}", "expr": expression}
        for number, (expression, _) in enumerate(asked_by_dashboard())
    ]
    path = tmp_path / "dashboard.yml"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", path)


def test_no_two_panels_are_in_one_place() -> None:
    seen: dict[tuple[int, int], str] = {}
    numbers: set[int] = set()
    for panel in dashboard()["panels"]:
        assert panel["id"] not in numbers
        numbers.add(panel["id"])
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert seen.setdefault((x, y), panel["title"]) == panel["title"]
        assert panel["type"] == "row" or panel["description"].endswith(".")
