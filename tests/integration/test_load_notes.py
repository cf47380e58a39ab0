"""`etl load-notes`: published notes into the star schema."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from etl.db import Connection
from tests.conftest import Etl, Ran, clear, runner
from tests.support import dirty, refresh_all

HEADER = (
    "note_id,country_name,latitude,longitude,opened_at,closed_at,days_to_resolution,"
    "opened_by_username,opening_comment,total_comments,was_reopened,closed_by_username,"
    "closing_comment\n"
)
NOTES = (
    "1,Colombia,4.1,-74.1,2026-01-01 00:00:00,,,ana,#MAPS.ME,1,0,,\n"
    "2,Colombia,4.1,-74.1,2026-01-02 00:00:00,2026-01-05 10:00:00,0,ana,,2,0,bo,\n"
    "3,México,4.1,-74.1,2026-01-03,2026-01-04 10:00:00,0,Unknown,,2,0,cy,\n"
)


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """A file of three notes."""
    path = tmp_path / "notes.csv"
    path.write_text(HEADER + NOTES)
    return path


@pytest.fixture
def shell(environment: dict[str, str], dsn: str) -> Etl:
    """Runs the program on the test's database from a line of shell, as ``"$@"``."""

    def run(line: str, *arguments: str | Path) -> Ran:
        program = ["bash", "-c", line, "bash", sys.executable, "-m", "etl", *arguments]
        known = {**environment, "ETL_DSN": dsn}
        done = subprocess.run(program, capture_output=True, check=False, env=known, text=True)
        return Ran(done.returncode, done.stdout, done.stderr)

    return run


def facts(connection: Connection) -> set[tuple[object, ...]]:
    return set(
        connection.execute(
            "SELECT f.note_id, f.action::text, f.action_at::text, u.username, o.username,"
            " c.country_name, a.application_name, f.days_to_resolution FROM dwh.facts AS f"
            " JOIN dwh.dimension_countries AS c ON c.dimension_country_id = f.dimension_id_country"
            " LEFT JOIN dwh.dimension_users AS u ON u.dimension_user_id = action_dimension_id_user"
            " LEFT JOIN dwh.dimension_users AS o ON o.dimension_user_id = opened_dimension_id_user"
            " LEFT JOIN dwh.dimension_applications AS a"
            " ON a.dimension_application_id = f.dimension_id_application"
        )
    )


def test_each_note_is_an_opened_and_where_closed_a_closed_fact(
    etl: Etl, connection: Connection, notes: Path
) -> None:
    report = json.loads(etl("load-notes", notes, "--json").out)
    assert facts(connection) == {
        (1, "opened", "2026-01-01 00:00:00", "ana", "ana", "Colombia", "mapsme", None),
        (2, "opened", "2026-01-02 00:00:00", "ana", "ana", "Colombia", None, None),
        (2, "closed", "2026-01-05 10:00:00", "bo", "ana", "Colombia", None, 3),
        (3, "opened", "2026-01-03 00:00:00", None, None, "México", None, None),
        (3, "closed", "2026-01-04 10:00:00", "cy", None, "México", None, 1),
    }
    expected = {"records": 3, "notes": 3, "rejected": 0, "new_facts": 5, "new_anonymous": 1}
    assert {key: report[key] for key in expected} == expected
    assert (report["users"], report["new_users"], report["users_dirtied"]) == (3, 3, 3)


def test_loading_the_same_file_again_changes_nothing_and_dirties_nobody(
    etl: Etl, connection: Connection, notes: Path
) -> None:
    etl("load-notes", notes)
    refresh_all(connection)
    before = facts(connection)
    report = json.loads(etl("load-notes", notes, "--json").out)
    assert (report["new_facts"], report["new_users"], report["users_dirtied"]) == (0, 0, 0)
    assert facts(connection) == before
    assert dirty(connection) == set()


def test_a_note_that_is_closed_later_adds_its_closing_and_dirties_both(
    etl: Etl, connection: Connection, notes: Path
) -> None:
    etl("load-notes", notes)
    refresh_all(connection)
    line = "1,Colombia,4.1,-74.1,2026-01-01 00:00:00,2026-01-09 10:00:00,0,ana,,2,0,cy,\n"
    notes.write_text(HEADER + line)
    report = json.loads(etl("load-notes", notes, "--json").out)
    assert (report["new_opened"], report["new_closed"], report["users_dirtied"]) == (0, 1, 2)
    assert dirty(connection) == {"ana", "cy"}


def test_a_note_twice_in_one_file_is_one_note(
    etl: Etl, connection: Connection, notes: Path
) -> None:
    notes.write_text(HEADER + NOTES + NOTES)
    report = json.loads(etl("load-notes", notes, "--json").out)
    assert (report["notes"], report["new_facts"]) == (6, 5)
    assert len(facts(connection)) == 5


def test_gzip_and_standard_input_are_read_alike(
    etl: Etl, connection: Connection, notes: Path
) -> None:
    packed = notes.with_suffix(".csv.gz")
    packed.write_bytes(gzip.compress(notes.read_bytes()))
    for file, stdin in ((packed, b""), ("-", notes.read_bytes()), ("-", packed.read_bytes())):
        ran = etl("load-notes", file, "--json", stdin=stdin)
        assert json.loads(ran.out)["new_facts"] == 5
        connection.execute("TRUNCATE dwh.facts")


def test_rejected_records_are_written_down_with_line_and_reason(
    etl: Etl, connection: Connection, notes: Path
) -> None:
    bad = [
        b"CREATE FUNCTION\n",
        b"9,Peru,1,1,2026-02-30 00:00:00,,,ana,,1,0,,\n",
        b"9,Peru,1,1,2026-01-05 00:00:00,2026-01-04 00:00:00,,ana,,1,0,bo,\n",
        b"9,Peru,1,1,2026-01-05 00:00:00,,,a\x00a,,1,0,,\n",
        b"9,Peru,1,1,2026-01-05 00:00:00,,,a\xff,,1,0,,\n",
    ]
    notes.write_bytes(HEADER.encode() + b"".join(bad) + NOTES.encode())
    ran = etl("load-notes", notes, "--max-rejects=5", "--json")
    report = json.loads(ran.out)
    assert (ran.status, report["rejected"], report["new_facts"]) == (0, 5, 5)
    written = Path(report["rejects_file"])
    assert written == notes.with_name("notes.csv.rejects.csv")
    reasons = [line.split(",")[:2] for line in written.read_text().splitlines()]
    assert reasons == [
        ["line", "reason"],
        ["2", "has 1 fields instead of 13"],
        ["3", "opened_at is no date and time: '2026-02-30 00:00:00'"],
        ["4", "closed at 2026-01-04 00:00:00 before it was opened at 2026-01-05 00:00:00"],
        ["5", "holds a NUL byte"],
        ["6", "is not UTF-8 at byte 35"],
    ]


def test_too_many_rejects_load_nothing(etl: Etl, connection: Connection, notes: Path) -> None:
    notes.write_text(HEADER + "CREATE FUNCTION\n" + NOTES)
    said = "1 of 4 records were rejected, more than 1 % allowed; nothing was loaded"
    assert clear(etl("load-notes", notes), 1, said)
    assert facts(connection) == set()
    assert notes.with_name("notes.csv.rejects.csv").exists()
    assert etl("load-notes", notes, "--max-rejects=25%").status == 0
    assert len(facts(connection)) == 5


def test_the_rejects_of_an_earlier_load_do_not_stay(etl: Etl, notes: Path) -> None:
    written = notes.with_name("notes.csv.rejects.csv")
    written.write_text("old")
    etl("load-notes", notes)
    assert not written.exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (NOTES.encode(), ":1: the header is missing or lacks: note_id"),
        (b"\x1f\x8b\x08 this is no gzip", "cannot read"),
        (gzip.compress((HEADER + NOTES).encode() * 50)[:-30], "ended before the end-of-stream"),
    ],
    ids=["empty", "no header", "no gzip", "truncated gzip"],
)
def test_a_file_that_cannot_be_read_loads_nothing(
    etl: Etl, connection: Connection, notes: Path, content: bytes, said: str
) -> None:
    notes.write_bytes(content)
    ran = etl("load-notes", notes, "--max-rejects=100%")
    assert clear(ran, 2, said)
    assert facts(connection) == set()


@pytest.mark.parametrize("limit", ["-1", "x", "1.5", "nan%", "inf%", "%"])
def test_a_wrong_reject_limit_is_a_usage_error(etl: Etl, notes: Path, limit: str) -> None:
    assert clear(etl("load-notes", notes, f"--max-rejects={limit}"), 2, "--max-rejects must be")


def test_a_database_without_schema_says_run_etl_init(
    environment: dict[str, str], bare_dsn: str, notes: Path
) -> None:
    ran = runner({**environment, "ETL_DSN": bare_dsn})("load-notes", notes)
    assert clear(ran, 2, 'schema "dwh" does not exist', "Run 'etl init'")


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("none.csv", "cannot read none.csv: No such file or directory"),
        ("long" * 100, "File name too long"),
        (".", ". is a folder"),
    ],
)
def test_a_file_that_is_none_is_named_before_any_is_loaded(
    etl: Etl, connection: Connection, notes: Path, file: str, said: str
) -> None:
    ran = etl("load-notes", notes, file)
    assert clear(ran, 2, said, "Nothing was loaded.")
    assert facts(connection) == set()


def test_standard_input_can_be_read_once_and_may_be_closed(
    etl: Etl, shell: Etl, notes: Path
) -> None:
    ran = etl("load-notes", "-", "-", stdin=notes.read_bytes())
    assert clear(ran, 2, "standard input is empty")
    assert "new facts               5" in ran.out
    assert clear(shell('exec "$@" <&-', "load-notes", "-"), 2, "standard input is empty")


def test_a_disk_too_full_for_the_rejects_is_one_error_and_leaves_nothing(
    shell: Etl, connection: Connection, notes: Path
) -> None:
    notes.write_text(HEADER + NOTES + "no note\n" * 5000)
    for blocks in (0, 1, 100):  # the first write is refused, the last one when it is closed, none
        ran = shell(f'ulimit -f {blocks}; exec "$@"', "load-notes", notes, "--max-rejects=100%")
        if blocks < 100:
            assert clear(ran, 2, f"cannot write {notes}.rejects.csv: File too large", "Make room")
            assert [path.name for path in notes.parent.iterdir()] == [notes.name]
    assert facts(connection) == set()


def test_files_are_loaded_each_for_itself(etl: Etl, connection: Connection, notes: Path) -> None:
    second = notes.with_name("second.csv")
    second.write_text("no header\n")
    assert etl("load-notes", notes, second).status == 2
    assert len(facts(connection)) == 5
