"""`etl report`: what it reads, what it writes and where, and what it refuses."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from etl.db import Connection
from tests.conftest import READER, REPOSITORY, Etl
from tests.report.ledgers import add_cycle, add_earlier, add_evil, add_held, add_large
from tests.shapes import shaped

SCHEMA = json.loads((REPOSITORY / "docs/json/report.schema.json").read_text())


def told(etl: Etl, *arguments: str, **more: str) -> dict[str, Any]:
    ran = etl("report", "datamart-users", "--json", *arguments, **more)
    assert ran.status == 0, ran.err
    answer: dict[str, Any] = shaped("report", ran.out)
    return answer


def test_the_schema_describes_everything_and_allows_nothing_else() -> None:
    found = [SCHEMA, *SCHEMA["$defs"].values()]
    found += [part for part in SCHEMA["properties"].values() if "properties" in part]
    assert len(found) >= 14
    for each in found:
        assert each["additionalProperties"] is False
        assert sorted(each["required"]) == sorted(each["properties"])
        assert all(part.get("description") for part in each["properties"].values())


def test_a_cycle_has_one_shape_in_every_schema() -> None:
    for name in ("history", "status"):
        other = json.loads((REPOSITORY / f"docs/json/{name}.schema.json").read_text())
        for part in ("cycle", "level", "wait"):
            assert other["$defs"][part] == SCHEMA["$defs"][part]


def test_what_it_tells_is_what_the_ledger_has(etl: Etl, connection: Connection) -> None:
    add_earlier(connection, 3)
    add_held(connection)
    cycle_id = add_cycle(connection)
    answer = told(etl, ETL_DSN=f"{connection.info.dsn} user={READER}")
    assert [cycle["cycle_id"] for cycle in answer["cycles"]] == [1, 2, 3, cycle_id]
    assert answer["cycle"] == answer["cycles"][-1]
    assert answer["verdict"]["state"] == "failed"
    assert answer["verdict"]["sentence"] == (
        "5 users failed. 1 user in quarantine waits for a person. "
        "The backlog is growing: 103 users remain, 92 more than after cycle 1."
    )
    assert {worker["worker"]: worker["items"] for worker in answer["workers"]} == {1: 99, 2: 98}
    # 40 ms each, 5 between two; of the orphaned one nobody knows. One of 400 ms spans 8 pauses.
    assert [worker["busy_s"] for worker in answer["workers"]] == pytest.approx([3.96, 3.92])
    assert [len(worker["blocks"]) for worker in answer["workers"]] == [2, 2]
    assert sum(mark["items"] for mark in answer["marks"]) == 7
    slowest = answer["slowest"][0]
    assert (slowest["item_key"], slowest["duration_ms"], slowest["worker"]) == ("150", 400, 1)
    ((median, p95),) = connection.execute(
        "SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY duration_ms), max(duration_ms)"
        " FROM etl.attempt WHERE outcome = 'done' AND weight BETWEEN 64 AND 127"
    ).fetchall()
    cost = next(cost for cost in answer["costs"] if cost["from_weight"] == 64)
    assert (cost["median_ms"], cost["max_ms"], cost["below_weight"]) == (median, p95, 128)
    assert sum(cost["items"] for cost in answer["costs"]) == 190
    assert answer["failures"][0] == {
        "outcome": "failed", "sqlstate": "22012", "attempts": 3, "message": "division by zero",
        "messages": 2, "item_key": "120",
    }  # fmt: skip
    level = answer["cycle"]["levels"][0]
    assert (level["oldest_s"], level["left"], level["oldest_left_s"]) == (7200, 3, 3610)
    assert answer["cycle"]["levels"][1]["oldest_s"] is None
    assert answer["cycle"]["waits"] == [{"reason": "replication lag", "from_s": 4, "seconds": 1.5}]
    held = answer["held"]
    assert (held["held"], held["quarantined"], held["due"]) == (1, 1, 1)
    assert [item["item_key"] for item in held["items"]] == ["10", "130", "60"]


def test_an_empty_ledger_a_running_and_a_forgotten_cycle_are_told(
    etl: Etl, connection: Connection, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    answer = told(etl, "-o", str(page))
    assert (answer["cycle"], answer["verdict"]["state"]) == (None, "empty")
    assert "No cycle of this job has run yet." in page.read_text()
    add_earlier(connection, 1)
    answer = told(etl, "-o", str(page))
    sentence = "11 users remain for the next cycle."
    assert answer["verdict"] == {"state": "backlog", "sentence": sentence}
    assert "forgotten the attempts of this cycle" in page.read_text()
    add_cycle(connection, is_finished=False, attempts=False)
    answer = told(etl, "-o", str(page))
    assert answer["verdict"]["state"] == "running"
    assert answer["verdict"]["sentence"].endswith("197 of 300 users attempted.")
    assert "come into the ledger when its record closes" in page.read_text()


def test_one_of_the_earlier_cycles_is_told_as_it_was_then(etl: Etl, connection: Connection) -> None:
    add_earlier(connection, 5)
    answer = told(etl, "--cycle=4", "--cycles=2")
    assert [cycle["cycle_id"] for cycle in answer["cycles"]] == [3, 4]
    assert answer["cycle"]["found"] == 64
    connection.execute("UPDATE etl.cycle SET job = 'another' WHERE cycle_id = 2")
    for wanted in ("2", "99"):
        ran = etl("report", "datamart-users", f"--cycle={wanted}", "-o", "-")
        assert (ran.status, ran.out) == (2, "")
        assert f"datamart-users has no cycle {wanted}" in ran.err


def test_evil_keys_and_a_weight_that_is_no_number_are_json(
    etl: Etl, connection: Connection
) -> None:
    add_evil(connection, add_cycle(connection))
    ran = etl("report", "datamart-users", "--json")
    assert ran.out.strip().isprintable()
    assert told(etl)["slowest"][0]["weight"] is None


def test_a_large_cycle_is_few_blocks(etl: Etl, connection: Connection) -> None:
    add_large(connection, 20_000)
    answer = told(etl)
    assert sum(worker["items"] for worker in answer["workers"]) == 20_000
    blocks = [block for worker in answer["workers"] for block in worker["blocks"]]
    assert len(blocks) <= 8 * 800
    assert sum(block["items"] for block in blocks) == 20_000
    assert len(answer["marks"]) <= 1_200
    assert sum(mark["items"] for mark in answer["marks"]) == 4_000


def test_the_file_is_replaced_as_a_whole_and_keeps_its_mode(etl: Etl, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    before = os.umask(0)
    try:
        assert etl("report", "datamart-users", "-o", page).status == 0
        assert page.stat().st_mode & 0o777 == 0o644
        page.write_text("old")
        page.chmod(0o666)
        assert etl("report", "datamart-users", "-o", page).status == 0
        assert page.stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(before)
    page.chmod(0o600)
    ran = etl("report", "datamart-users", "-o", page)
    assert ran.out == f"{page}: No cycle of this job has run yet.\n"
    assert page.stat().st_mode & 0o777 == 0o600
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_no_link_is_followed_and_nothing_else_is_overwritten(etl: Etl, tmp_path: Path) -> None:
    (tmp_path / "target").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    (tmp_path / "loose").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "fifo")
    for name, said in {
        "link": "symbolic link", "loose": "symbolic link", "fifo": "no regular file",
        ".": "no regular file", "missing/page.html": "No such file",
    }.items():  # fmt: skip
        ran = etl("report", "datamart-users", "-o", tmp_path / name)
        assert (ran.status, ran.out) == (2, ""), name
        assert said in ran.err, ran.err
        assert "Traceback" not in ran.err
    assert (tmp_path / "target").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fifo", "link", "loose", "target"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [([], "say where to write the page"), (["-o", "-", "--json"], "both print on standard output")],
)
def test_a_report_goes_to_one_place(etl: Etl, arguments: list[str], said: str) -> None:
    ran = etl("report", "datamart-users", *arguments)
    assert (ran.status, ran.out) == (2, "")
    assert said in ran.err


def test_no_password_is_told(etl: Etl, dsn: str, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    answer = told(etl, "-o", str(page), ETL_DSN=f"{dsn} password=swordfish")
    assert "swordfish" not in json.dumps(answer) + page.read_text()
