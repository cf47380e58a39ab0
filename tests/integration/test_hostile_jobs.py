"""Job folders that nobody in his right mind makes: one clear error each, the others still run."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from etl import job
from etl.db import Connection
from etl.errors import FileError
from tests.conftest import Etl, Ran

GOOD = {
    "job.toml": 'title = "Good"\nunit = "thing"\n',
    "backlog.sql": "SELECT 1 AS level, 0 AS items, now() WHERE FALSE;\n",
    "prioritize.sql": "SELECT 'a' AS item_key, 1 AS level WHERE :max_items = 0;\n",
    "process.sql": "SELECT :item_key;\n",
}


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    """A folder with one good job, and one with as much that a test spoils."""
    for name in ("good", "bad"):
        folder = tmp_path / "jobs" / name
        folder.mkdir(parents=True)
        for file, text in GOOD.items():
            (folder / file).write_text(text)
    return tmp_path / "jobs"


def _loop(path: Path) -> None:
    path.symlink_to(path)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(100_000_000)


def _binary(path: Path) -> None:
    path.write_bytes(bytes(range(256)))


def _missing(path: Path) -> None:
    assert not path.exists()


SPOILS: list[tuple[Callable[[Path], None], str]] = [
    (os.mkfifo, "not a regular file"),
    (Path.mkdir, "not a regular file"),
    (_loop, "Too many levels of symbolic links"),
    (_device, "not a regular file"),
    (_large, "larger than 10 MB"),
    (_binary, "not UTF-8"),
    (_missing, "No such file or directory"),
]


@pytest.mark.parametrize("file", ["job.toml", "process.sql"])
@pytest.mark.parametrize(("spoil", "said"), SPOILS)
def test_a_file_that_is_none_is_one_error_and_the_other_job_runs(
    etl: Etl, jobs: Path, file: str, spoil: Callable[[Path], None], said: str
) -> None:
    (jobs / "bad" / file).unlink()
    spoil(jobs / "bad" / file)
    ran = etl("bad", ETL_JOBS_DIR=str(jobs)).ended(2, f"{jobs}/bad/{file}", said)
    assert ran.err.count("etl: ") == 1
    assert etl("good", ETL_JOBS_DIR=str(jobs)).status == 0


def test_two_jobs_of_one_name_are_one_error_and_the_other_jobs_run(
    etl: Etl, jobs: Path, connection: Connection
) -> None:
    twin = jobs / "datamart_users"
    (jobs / "bad").rename(twin)
    said = f"{twin}: the job datamart_users exists in "
    etl("datamart-users", ETL_JOBS_DIR=str(jobs)).ended(2, said)
    assert etl("good", ETL_JOBS_DIR=str(jobs)).status == 0
    etl("init", "--dsn", connection.info.dsn, ETL_JOBS_DIR=str(jobs)).ended(
        0, f"etl: left out: {said}"
    )
    assert etl("verify", "fix-invoices", ETL_JOBS_DIR=str(jobs)).status == 0


def test_schema_and_grants_that_are_none_leave_out_their_jobs_alone(
    etl: Etl, jobs: Path, connection: Connection
) -> None:
    (jobs / "good" / "schema").mkdir()
    (jobs / "good" / "schema" / "0001_good.sql").write_text("CREATE TABLE etl.good ();\n")
    for number, (spoil, _) in enumerate(SPOILS[:-1]):
        shutil.copytree(jobs / "bad", jobs / f"bad{number}")
        (jobs / f"bad{number}" / "schema").mkdir()
        spoil(jobs / f"bad{number}" / "schema" / "0001_bad.sql")
    (jobs / "bad" / "grants").mkdir()
    (jobs / "bad" / "grants" / "etl_reader.sql").write_text("GRANT 'never closed")
    ran = etl("init", "--dsn", connection.info.dsn, ETL_JOBS_DIR=str(jobs)).ended(
        0, *(said for _, said in SPOILS[:-1]), "' is never closed"
    )
    assert ran.err.count("left out: ") == len(SPOILS)
    assert ran.out == "applied  good: schema/0001_good.sql\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = " + "[" * 100_000, "recursion"),
        ("[defaults]\nmax_items = " + "9" * 5000, "digit"),
        ('title = "x"\nunit = "thing"\n[defaults]\nmax_items = ' + "9" * 20, "to 2147483647"),
        (
            'title = "x"\nunit = "thing"\n[defaults]\nlock_timeout = "' + "9" * 5000 + 's"',
            "must be a duration",
        ),
        ('title = "x"\nunit = "thing"\n[levels]\n' + "9" * 5000 + ' = "x"', "must be a level"),
        ('title = "a\\u001b[31mb"\nunit = "thing"\n', "without control characters"),
        ('title = "x"\nsummary = "a\\u009bb"\nunit = "thing"\n', "without control characters"),
        ('title = "x"\nunit = "thing"\n[levels]\n1 = "a\\rb"', "must be a level"),
        ('title = "x"\nunit = "[/red]"\n', "must be one word"),
        ('title = "x"\nunit = "thing"\n[options.with]\nhelp = "x"', "name of an option"),
        ('title = "x"\nunit = "thing"\n[options.max_things]\nhelp = "x"', "name of an option"),
    ],
    ids=range(11),
)
def test_a_job_toml_made_to_hurt_is_one_error(jobs: Path, text: str, said: str) -> None:
    path = jobs / "bad" / "job.toml"
    path.write_text(text)
    with pytest.raises(FileError, match=said) as raised:
        job.load(jobs / "bad")
    assert raised.value.message.startswith(f"{path}:")
    assert len(raised.value.message) < 500
    assert raised.value.message.isprintable()


NAMES = [
    "red\x1b[31m", "two\nlines", "c1\x9b31m", "[red]", "\u202etxt", "Big", "a b", "--help",
    os.fsdecode(b"\xff\xfe"),
]  # fmt: skip


def is_harmless(ran: Ran) -> bool:
    """Whether a terminal shows what was said and does nothing else."""
    return all(text.replace("\n", "").isprintable() for text in (ran.out, ran.err))


def test_folder_names_steer_no_terminal(etl: Etl, jobs: Path) -> None:
    for name in NAMES:
        shutil.copytree(jobs / "bad", jobs / name)
    for arguments in (["--help"], ["init"], ["verify", "x"], ["sql", "list"], ["good"], ["Big"]):
        ran = etl(*arguments, ETL_JOBS_DIR=str(jobs)).ended(
            2 if arguments[-1] in ("x", "Big") else 0
        )
        assert is_harmless(ran)


@pytest.mark.parametrize("markup", ["[/red]", "[bold", "a[b]c", "[link=file:///]"])
def test_a_summary_is_no_markup(etl: Etl, jobs: Path, markup: str) -> None:
    (jobs / "bad" / "job.toml").write_text(f"title = 'x'\nunit = 'thing'\nsummary = '{markup}'\n")
    (jobs / "good" / "job.toml").write_text(f"# {markup}\n{markup} = 1\n")
    for arguments in (["--help"], ["bad", "--help"]):
        ran = etl(*arguments, ETL_JOBS_DIR=str(jobs))
        assert (ran.status, ran.err) == (0, "")
        assert markup in ran.out


@pytest.mark.parametrize(
    "place", ["", "job.toml", "process.sql", "schema", "schema/0001_x.sql", "grants/x.sql"]
)
def test_a_job_that_everybody_can_change_is_refused(etl: Etl, jobs: Path, place: str) -> None:
    for file in ("schema/0001_x.sql", "grants/x.sql"):
        (jobs / "bad" / file).parent.mkdir()
        (jobs / "bad" / file).write_text("SELECT 1;\n")
    path = jobs / "bad" / place
    path.chmod(path.stat().st_mode | 0o002)
    etl("bad", ETL_JOBS_DIR=str(jobs)).ended(
        2, f"{path}: can be written by everybody", "chmod -R o-w"
    )
    assert "0001_x" not in etl("init", ETL_JOBS_DIR=str(jobs)).out
    assert etl("good", ETL_JOBS_DIR=str(jobs)).status == 0


@pytest.mark.parametrize("mode", [0o777, 0o1777])
def test_a_folder_where_everybody_can_put_a_job_is_refused(etl: Etl, jobs: Path, mode: int) -> None:
    jobs.chmod(mode)
    ran = etl("init", "--jobs-dir", jobs).ended(
        2, f"the jobs folder {jobs} is not safe: everybody can write {jobs}"
    )
    assert ran.out == ""


def test_a_jobs_folder_that_everybody_can_exchange_is_refused(
    etl: Etl, jobs: Path, tmp_path: Path
) -> None:
    above = tmp_path / "above"
    above.mkdir()
    jobs.rename(above / "jobs")
    (tmp_path / "link").symlink_to(above / "jobs")
    assert etl("good", ETL_JOBS_DIR=str(tmp_path / "link")).status == 0
    above.chmod(0o777)
    for path in (above / "jobs", tmp_path / "link"):
        etl("good", ETL_JOBS_DIR=str(path)).ended(2, f"everybody can write {above}")


def test_a_jobs_folder_that_is_a_file_is_told(etl: Etl, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    etl("init", "--jobs-dir", tmp_path / "file").ended(2, "is not a folder")
    etl("init", "--jobs-dir", tmp_path / "gone").ended(2, "No such file or directory")
    etl("init", "--jobs-dir", "long" * 100).ended(2, "File name too long")
    (tmp_path / "loop").symlink_to("loop")
    etl("init", "--jobs-dir", tmp_path / "loop").ended(2, "levels of symbolic links")
