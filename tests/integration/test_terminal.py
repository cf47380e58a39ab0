"""What a terminal and a shell get: completion, the manual page, colours or none."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from etl.db import Connection
from tests.conftest import REPOSITORY, Etl, etl_program
from tests.pictures import left_on_screen, on_terminal
from tests.support import add_users

COLOUR = re.compile(rb"\x1b\[(?:[0-9;]*;)?(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;[0-9;]*)?m")
"""A sequence that sets a colour; bold and dim are none."""


def complete(run: Etl, line: str, **more: str) -> list[str]:
    """What bash would offer behind this line; the word at its end is the one to complete."""
    number = str(len(f"{line}.".split()) - 1)
    ran = run(_ETL_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=number, **more)
    assert ran.err == ""
    return ran.out.split()


def in_bash(script: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """What bash makes of a script, in the checkout."""
    return subprocess.run(
        ["bash", "-c", script], env=environment, cwd=REPOSITORY, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip


@pytest.fixture
def jobs(tmp_path: Path) -> str:
    """A folder with one more job."""
    (tmp_path / "jobs" / "data_marts").mkdir(parents=True)
    (tmp_path / "jobs" / "data_marts" / "job.toml").write_text('title = "D"\nunit = "mart"\n')
    return str(tmp_path / "jobs")


def test_commands_options_and_jobs_are_completed(offline: Etl, jobs: str) -> None:
    assert complete(offline, "etl ver") == ["verify"]
    assert complete(offline, "etl held rel") == ["release"]
    assert complete(offline, "etl verify --js") == ["--json"]
    assert complete(offline, "etl data", ETL_JOBS_DIR=jobs) == ["data-marts", "datamart-users"]
    for command in ("held list", "held release", "schedule cron"):
        found = complete(offline, f"etl {command} data", ETL_JOBS_DIR=jobs)
        assert found == ["data-marts", "datamart-users"], command
    assert complete(offline, "etl data-marts --max", ETL_JOBS_DIR=jobs) == ["--max-marts"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_answered_too(offline: Etl, shell: str) -> None:
    asked = {"_TYPER_COMPLETE_ARGS": "etl verify d", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    ran = offline(_ETL_COMPLETE=f"complete_{shell}", **asked)
    assert "datamart-users" in ran.out


def test_a_mistake_in_the_settings_does_not_spoil_the_prompt(offline: Etl) -> None:
    assert complete(offline, "etl ver", ETL_JOBS_DIR="/nowhere") == []


def test_the_script_for_bash_completes_in_bash(environment: dict[str, str], tmp_path: Path) -> None:
    etl_program(tmp_path)
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(REPOSITORY)}
    script = (
        "source <(etl --show-completion); COMP_WORDS=(etl verify da); COMP_CWORD=2;"
        ' "$(complete -p etl | sed -E "s/.*-F ([^ ]+).*/\\1/")" etl; echo "${COMPREPLY[@]}"'
    )
    done = in_bash(script, {**environment, **path})
    assert (done.stdout, done.stderr) == ("datamart-users\n", "")


def test_the_manual_page_has_every_command_and_option(offline: Etl) -> None:
    page = offline("man")
    assert (page.status, page.err) == (0, "")
    shown = page.out.replace("\\-", "-")
    for line in offline("--help").out.partition("Commands:")[2].splitlines():
        if found := re.match(r"  ([a-z][a-z-]+)  ", line):
            assert f".SS etl {found[1]} " in shown, found[1]
    for option in re.findall(r"--[a-z-]+", offline("datamart-users", "--help").out):
        is_shown = re.search(rf"\n\.B .*{option}\b", shown)
        assert is_shown or option == "--help", option
    assert ".SS etl held release " in shown
    assert "\n128+n\n" in shown or ".B 128+n\n" in shown


def test_help_and_the_manual_page_tell_the_same_exit_statuses(offline: Etl) -> None:
    told = offline("--help").out.partition("Exit status:")[2].split("\n")
    page = offline("man").out.replace("\\-", "-").partition(".SH EXIT STATUS")[2]
    found = re.findall(r"\.TP\n\.B (\S+)\n((?:[^.].*\n?)*)", page)
    assert len(found) == 7
    assert [" ".join(line.split()) for line in told if line.strip()] == [
        f"{status} {' '.join(meaning.split())}" for status, meaning in found
    ]


@pytest.mark.parametrize(
    ("program", "options"),
    [("man", ["--warnings", "-E", "UTF-8", "-l", "-"]), ("mandoc", ["-T", "lint", "-W", "style"])],
)
def test_the_manual_page_is_sound(offline: Etl, program: str, options: list[str]) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"NOT CHECKED: there is no {program} (Debian: man-db groff-base mandoc)")
    done = subprocess.run(
        [program, *options], input=offline("man").out, capture_output=True, text=True, check=False,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "MANPAGER": "cat"},
    )  # fmt: skip
    found = [line for line in done.stdout.splitlines() if line.startswith("mandoc:")]
    assert (done.returncode, done.stderr, found) == (0, "", [])


@pytest.mark.parametrize(
    ("settings", "is_coloured"),
    [
        ({"TERM": "xterm-256color"}, True),
        ({"TERM": "xterm-256color", "NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        ({"TERM": ""}, False),
    ],
)
def test_a_cycle_on_a_terminal_has_colours_unless_told_otherwise(
    environment: dict[str, str], dsn: str, connection: Connection, settings: dict[str, str],
    is_coloured: bool,
) -> None:  # fmt: skip
    add_users(connection, "ana")
    connection.execute("ALTER TABLE dwh.datamart_users ADD CONSTRAINT poison CHECK (FALSE)")
    kept = {key: value for key, value in environment.items() if not key.endswith("_COLOR")}
    shown = on_terminal(["datamart-users", "--workers=1"], {**kept, "ETL_DSN": dsn, **settings})
    assert b"poison" in shown
    assert (COLOUR.search(shown) is not None) == is_coloured
    assert (b"\x1b" in shown) == (settings["TERM"] == "xterm-256color")


def test_the_bar_stays_above_the_summary_and_what_was_predicted_is_told_once(
    environment: dict[str, str], etl: Etl, dsn: str, connection: Connection
) -> None:
    add_users(connection, "ana", "ben")
    assert etl("datamart-users", "--max-users=1").status == 0
    known = {**environment, "ETL_DSN": dsn, "TERM": "xterm-256color"}
    shown = on_terminal(["datamart-users", "--workers=1"], known)
    told = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in left_on_screen(shown)]
    (bar,) = (place for place, line in enumerate(told) if line.startswith("1 worker "))
    assert "1/1" in told[bar]
    assert told[bar + 1].startswith("User datamarts: cycle 2, ")
    assert [line.partition(" ")[0] for line in told].count("predicted:") == 1


def test_help_and_errors_are_plain_text_everywhere(environment: dict[str, str]) -> None:
    known = {**environment, "TERM": "xterm-256color", "FORCE_COLOR": "1"}
    for arguments in (["--help"], ["verify"], ["verify", "nothing"]):
        assert b"\x1b" not in on_terminal(arguments, known)


def test_a_pipe_gets_no_colours_even_by_force(etl: Etl, connection: Connection) -> None:
    add_users(connection, "ana")
    ran = etl("datamart-users", FORCE_COLOR="1", TERM="xterm-256color")
    assert "\x1b" not in ran.out + ran.err


@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">/dev/full", "2>/dev/full", "| head -c 0"])
@pytest.mark.parametrize(("arguments", "status"), [("--help", 0), ("verify --nonsense", 2)])
def test_help_and_mistakes_that_nobody_can_read_end_as_they_do_else(
    environment: dict[str, str], arguments: str, status: int, redirection: str
) -> None:
    command = f'set -o pipefail; "{sys.executable}" -m etl {arguments} {redirection}'
    done = in_bash(command, environment)
    assert (done.returncode, "Traceback" in done.stderr) == (status, False)


def test_watching_ends_when_nobody_reads_it_any_more(environment: dict[str, str], dsn: str) -> None:
    watch = f'"{sys.executable}" -m etl status datamart-users --watch --every=50ms | head -n 1'
    done = in_bash(f"set -o pipefail; {watch}", {**environment, "ETL_DSN": dsn})
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
