"""Schedules: read back as cron, sh, systemd and logrotate read them."""

import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from etl.errors import FileError, UsageError
from etl.schedule import ScheduledRun, cron, systemd, when
from etl.settings import duration_s

HARD = ["it's", 'say "hi"', "50%", "$HOME ${x} $(id)", "a b", ";", "", "#", "*", "ü", "~"]
"""Arguments that some reader on the way could take for something else."""


def scheduled(*arguments: str, program: str = "/opt/etl/bin/etl", **more: object) -> ScheduledRun:
    """A run with these options."""
    known: dict[str, object] = {"job": "counts", "title": "Counts 100%", **more}
    return ScheduledRun(program=(program,), arguments=("counts", *arguments), **known)  # type: ignore[arg-type]


def as_cron_runs_it(line: str) -> str:
    """The command of a crontab line: five fields, then all up to a percent sign."""
    command = line.split(" ", 5)[5]
    assert re.fullmatch(r"(?:[^%\\]|\\.)*", command), "an unescaped % ends the command"
    return command.replace("\\%", "%")


def speaking(folder: Path, name: str) -> Path:
    """A program that writes its arguments and two variables, one a line."""
    program = folder / name
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@" "$ETL_STATE_DIR" "$SECRET"\n')
    program.chmod(0o755)
    return program


def test_cron_runs_what_was_meant(tmp_path: Path) -> None:
    settings, log = tmp_path / "my 5% settings", tmp_path / "the log"
    settings.write_text("SECRET='s 1'\n")
    run = scheduled(
        *HARD,
        program=str(speaking(tmp_path, "100% $x's etl")),
        environment={"ETL_STATE_DIR": "/a b/1%"},
        environment_file=settings,
        log=log,
    )
    line = cron.line(run, when.Every(15))
    assert line.startswith("*/15 * * * * ")
    done = subprocess.run(
        ["/bin/sh", "-c", as_cron_runs_it(line)], capture_output=True, check=False, cwd="/", env={}
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert log.read_text().splitlines() == ["counts", *HARD, "/a b/1%", "s 1"]
    assert log.stat().st_mode & 0o077 == 0


def test_what_cron_cannot_take_is_refused() -> None:
    with pytest.raises(UsageError, match="a percent sign and a backslash"):
        cron.line(scheduled("\\", "%"), when.Every(15))
    with pytest.raises(UsageError, match="longer than the 998 bytes"):
        cron.line(scheduled("x" * 1000), when.Every(15))
    with pytest.raises(UsageError, match="holds a line break"):
        scheduled("a\nb")


@pytest.mark.parametrize(
    ("every", "fields", "calendar"),
    [
        ("1m", "* * * * *", "*:*"),
        ("15m", "*/15 * * * *", "*:0/15"),
        ("30min", "*/30 * * * *", "*:0/30"),
        ("60m", "0 * * * *", "*-*-* *:00:00"),
        ("2h", "0 */2 * * *", "*-*-* 0/2:00:00"),
        ("24h", "0 0 * * *", "*-*-* 00:00:00"),
    ],
)
def test_an_interval_is_the_same_for_cron_and_systemd(
    every: str, fields: str, calendar: str
) -> None:
    read = when.read(every, None)
    assert read.cron == fields
    assert read.timer == [f"OnCalendar={calendar}", "Persistent=true"]


@pytest.mark.parametrize("every", ["7m", "90m", "5h", "48h"])
def test_an_interval_that_the_clock_does_not_know_is_for_systemd_only(every: str) -> None:
    read = when.read(every, None)
    with pytest.raises(UsageError, match="cron cannot run anything every"):
        _ = read.cron
    assert read.timer[0] == "OnActiveSec=1min"


def test_a_time_of_the_day_and_the_default() -> None:
    assert when.read(None, "2:05").cron == "5 2 * * *"
    assert when.read(None, "23:59").timer[0] == "OnCalendar=*-*-* 23:59:00"
    assert when.read(None, None) == when.Every(15)


@pytest.mark.parametrize(
    ("every", "at"),
    [("15m", "02:30"), ("90s", None), ("0m", None), ("x", None), (None, "24:00"), (None, "2:5")],
)
def test_no_time_at_all_is_refused(every: str | None, at: str | None) -> None:
    with pytest.raises(UsageError):
        when.read(every, at)


def as_systemd_reads_it(line: str) -> list[str]:
    """The words of a command line: quotes, C escapes, specifiers, then variables."""
    words: list[str] = []
    for quoted, bare in re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', line):
        word = bare or re.sub(r"\\(.)", r"\1", quoted)
        assert "%" not in word.replace("%%", "")
        words.append(word.replace("%%", "%"))
    for word in words[1:]:
        assert "$" not in word.replace("$$", "")
    return [words[0], *(word.replace("$$", "$") for word in words[1:])]


def test_systemd_runs_what_was_meant() -> None:
    arguments = [*HARD, "back\\slash", "\\"]
    run = scheduled(*arguments, program="/opt/my $etl 5%/etl")
    service = systemd.units(run, when.Every(15), None)["etl-counts.service"]
    (line,) = re.findall(r"^ExecStart=(.*)$", service, re.MULTILINE)
    assert as_systemd_reads_it(line) == ["/opt/my $etl 5%/etl", "counts", *arguments]


@pytest.mark.parametrize("program", ["/o'pt/etl", '/"/etl', "/\\/etl"])
def test_what_systemd_cannot_take_is_refused(program: str) -> None:
    with pytest.raises(UsageError, match="systemd cannot take the path"):
        systemd.units(scheduled(program=program), when.Every(15), None)
    with pytest.raises(UsageError, match="systemd cannot take the path"):
        systemd.units(scheduled(log=Path("/a\\b")), when.Every(15), None)


Analyze = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def analyze(tmp_path: Path) -> Analyze:
    """Runs systemd-analyze."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("NOT CHECKED: there is no systemd-analyze (Debian: apt-get install systemd)")
    known = {"XDG_RUNTIME_DIR": str(tmp_path), "TZ": "UTC"}
    return lambda *arguments: subprocess.run(
        [program, *arguments], capture_output=True, text=True, check=False, env=known
    )


@pytest.mark.parametrize("user", [None, "root"])
@pytest.mark.parametrize("is_server_started", [True, False])
def test_systemd_finds_nothing_wrong(
    analyze: Analyze, tmp_path: Path, user: str | None, is_server_started: bool
) -> None:
    run = scheduled(
        *HARD,
        program=str(speaking(tmp_path, "100% $x etl")),
        environment={"ETL_STATE_DIR": '/a b/1%"$'},
        environment_file=tmp_path / "5% settings",
        log=tmp_path / "the 5% log",
        is_server_started=is_server_started,
    )
    texts = systemd.units(run, when.Every(90), user)
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    verify = ["verify", "--man=no", "--system" if user else "--user"]
    done = analyze(*verify, *(tmp_path / name for name in texts))
    # It also tells what is wrong with other units of the machine.
    said = [line for line in done.stderr.splitlines() if "etl-counts" in line]
    assert (done.returncode, said) == (0, []), done.stderr
    (tmp_path / "etl-counts.service").write_text(texts["etl-counts.service"] + "Nonsense=1\n")
    assert "Nonsense" in analyze(*verify, tmp_path / "etl-counts.service").stderr


@pytest.mark.parametrize("every", ["1m", "15m", "60m", "2h", "24h"])
def test_systemd_knows_these_times(analyze: Analyze, every: str) -> None:
    calendar = when.read(every, None).timer[0].removeprefix("OnCalendar=")
    begun = ["--base-time=2026-01-16 00:00:30 UTC", "--iterations=2"]
    done = analyze("calendar", *begun, calendar)
    told = re.findall(r"(?:elapse|Iter\. #2): \w+ ([0-9-]+ [0-9:]+) UTC", done.stdout)
    first, second = map(datetime.fromisoformat, told)
    assert (second - first).total_seconds() == duration_s("", every)


def test_logrotate_takes_its_sample(tmp_path: Path) -> None:
    text = cron.rotation(tmp_path / "the 5% log")
    assert text.startswith(f'"{tmp_path}/the 5% log" {{')
    with pytest.raises(UsageError, match="logrotate cannot take"):
        cron.rotation(Path('/a"b'))
    program = shutil.which("logrotate", path="/usr/sbin:/usr/bin:/sbin")
    if program is None:
        pytest.skip("NOT CHECKED: there is no logrotate (Debian: apt-get install logrotate)")
    (tmp_path / "conf").write_text(f"{text}\n")
    (tmp_path / "conf").chmod(0o644)
    (tmp_path / "the 5% log").write_text("a line\n")
    state = ["--state", str(tmp_path / "state")]
    done = subprocess.run(
        [program, "--force", *state, tmp_path / "conf"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "the 5% log.1").read_text() == "a line\n"


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A systemctl that answers as where a user's manager runs, and keeps what it was asked."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "systemctl").write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/asked\n')
    (programs / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    return tmp_path / "asked"


def test_installing_writes_reloads_and_starts_and_overwrites_only_by_force(
    tmp_path: Path, manager: Path
) -> None:
    folder = systemd.user_folder({"XDG_CONFIG_HOME": str(tmp_path / "config")})
    texts = systemd.units(scheduled(), when.Every(15), None)
    written = systemd.install(texts, folder, may_overwrite=False)
    assert {path.name: path.read_text() for path in written} == texts
    assert manager.read_text().splitlines()[1:] == [
        "--user daemon-reload", "--user enable --now etl-counts.timer",
    ]  # fmt: skip
    assert systemd.install(texts, folder, may_overwrite=False) == []
    later = systemd.units(scheduled(), when.Daily(2, 30), None)
    with pytest.raises(FileError, match="exists and differs"):
        systemd.install(later, folder, may_overwrite=False)
    assert {path.name: path.read_text() for path in folder.iterdir()} == texts
    (changed,) = systemd.install(later, folder, may_overwrite=True)
    assert "02:30" in changed.read_text()


def test_without_a_manager_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="there is no systemctl"):
        systemd.install({"etl-a.timer": ""}, tmp_path / "units", may_overwrite=True)
    assert not (tmp_path / "units").exists()
