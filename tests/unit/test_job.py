"""Reading the folder of a job: what is whole, and what every kind of broken one says."""

import shutil
from pathlib import Path

import pytest

from etl.errors import FileError, UsageError
from etl.folders import sql_folder
from etl.job import Job, command_name, job_paths, load
from etl.job.shape import HealthLimits

SHIPPED = sql_folder() / "jobs" / "datamart_users"
TOML = 'title = "Topics"\nunit = "topic"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A whole job."""
    folder = tmp_path / "topics"
    folder.mkdir()
    (folder / "job.toml").write_text(TOML)
    (folder / "prioritize.sql").write_text("SELECT 1 AS item_key, 1 AS level LIMIT :max_items;\n")
    (folder / "backlog.sql").write_text("SELECT 1, 1, CAST(:'now' AS timestamptz);\n")
    (folder / "process.sql").write_text("CALL p(:item_key);\n")
    return folder


def _named(value: str | int) -> str:
    """A parameter in the name of a test: not the whole file."""
    return "toml" if isinstance(value, str) and "\n" in value else str(value)


def refusal(folder: Path, text: str) -> str:
    """What is said of a job.toml, after its path."""
    path = folder / "job.toml"
    path.write_text(text)
    with pytest.raises(FileError) as raised:
        load(folder)
    assert raised.value.exit_code == 2
    assert raised.value.message.startswith(f"{path}:")
    return raised.value.message.removeprefix(f"{path}:")


def test_the_shipped_job_is_whole() -> None:
    job = load(SHIPPED)
    job.check()
    assert (job.name, job.command, job.unit) == ("datamart_users", "datamart-users", "user")
    assert (job.max_items, job.max_attempts) == (1000, 5)
    assert (job.statement_timeout_s, job.slow_statement_timeout_s) == (60, 600)
    assert (job.lock_timeout_s, job.reserved_percent, job.time_limit_s) == (1, 10, None)
    assert list(job.level_names) == [1, 2, 3, 4, 5, 6]
    assert set(job.prioritize.names) == {"as_of", "now", "max_items", "reserved_percent"}
    assert set(job.backlog.names) <= {"as_of", "now"}
    assert "item_key" in job.process.names
    assert set(job.verify.names) <= {"as_of"}


def test_a_job_needs_only_a_title_and_a_unit(folder: Path) -> None:
    job = load(folder)
    job.check()
    limits = (1000, 10, 5, 90, 60, 600, 1, None)
    assert job == Job(
        folder, "Topics", "Topics", "topic", *limits, {}, {}, HealthLimits(60, 20, True, 0, 0)
    )


def test_level_names_are_those_of_the_job(folder: Path) -> None:
    (folder / "job.toml").write_text(f'{TOML}[levels]\n1 = "critical"\n')
    job = load(folder)
    names = [job.level_name(level) for level in (0, 1, 2)]
    assert names == ["requested", "critical", "level 2"]


def test_a_job_without_a_toml_says_which_file_is_missing(folder: Path) -> None:
    (folder / "job.toml").unlink()
    with pytest.raises(FileError, match=r"topics/job\.toml: No such file or directory"):
        load(folder)


def test_a_toml_that_is_not_utf8_is_refused(folder: Path) -> None:
    (folder / "job.toml").write_bytes(b'title = "caf\xe9"\n')
    with pytest.raises(FileError, match=r"topics/job\.toml.*: not UTF-8"):
        load(folder)


@pytest.mark.parametrize("name", ["Topics", "my-topics", "9topics", "top ics", "t" * 51])
def test_a_folder_with_another_kind_of_name_is_no_job(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileError, match=f"{name}: is no name of a job"):
        load(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        (f"{TOML}summary = Refresh\n", 3, "Invalid value"),
        (f'{TOML}title = "again"\n', 3, "Cannot overwrite a value"),
        (f"{TOML}\n[defaults", 4, "Expected ']'"),
        (f'{TOML}color = "red"\n', 3, "color is unknown"),
        (f"{TOML}[retry]\nx = 1\n", 3, "retry is unknown"),
        (f"{TOML}[defaults]\n\nmax_item = 1\n", 5, "max_item is unknown"),
        ('unit = "topic"\ntitle = 5\n', 2, "title must be one line of text"),
        (f"{TOML}levels = 3\n", 3, "levels must be a table"),
        (f"{TOML}defaults = 3\n", 3, "defaults must be a table"),
        (f'{TOML}[defaults]\nmax_items = "5"\n', 4, "max_items must be a whole number"),
        (f"{TOML}[defaults]\nmax_items = true\n", 4, "max_items must be a whole number"),
        (f"{TOML}[defaults]\nlock_timeout = 5\n", 4, "lock_timeout must be a duration"),
        ('unit = "topic"\n', 1, "title is missing"),
        ('title = "Topics"\n', 1, "unit is missing"),
        ('\ntitle = "T"\nunit = "Two Words"\n', 3, "unit must be one word"),
        ('\ntitle = "T"\nunit = "queue"\n', 3, "unit must be one word in small letters, and not"),
        (f'{TOML}acknowledge = "never"\n', 3, "acknowledge must be one of: statement"),
        (f"{TOML}[defaults]\n#\nmax_items = 0\n", 5, "max_items must be a whole number from 1"),
        (f"{TOML}[defaults]\nmax_attempts = -1\n", 4, "max_attempts must be a whole number from 1"),
        (f'{TOML}[defaults]\nstatement_timeout = "60"\n', 4, "statement_timeout must be a dur"),
        (f"{TOML}[defaults]\nreserved_percent = 100\n", 4, "must be a whole number from 0 to 99"),
        (f'{TOML}[defaults]\ntime_limit = "8d"\n', 4, "time_limit must be a duration"),
        (f'{TOML}[defaults]\nlock_timeout = "0s"\n', 4, "lock_timeout must be a duration"),
        (f'{TOML}[defaults]\nlock_timeout = "1s; --"\n', 4, "lock_timeout must be a duration"),
        (f'{TOML}[levels]\n1 = "a"\n0 = "b"\n', 5, "0 must be a level and its name"),
        (f'{TOML}[levels]\n1 = "a"\n[freshness]\nb = "1h"\n', 6, "b is unknown; known are: a"),
        (f'{TOML}[levels]\n1 = "a"\n[freshness]\na = "soon"\n', 6, "a must be a duration"),
        (f'{TOML}[levels]\n1 = "a"\n[freshness]\na = 5\n', 6, "a must be a duration"),
        (f"{TOML}[health]\nwaiting_sessions = -1\n", 4, "must be a whole number from 0"),
        (f"{TOML}[health]\nwraparound_vacuum = 1\n", 4, "wraparound_vacuum must be true or false"),
        (f'{TOML}[health]\nreplication_lag = "no"\n', 4, "replication_lag must be a duration"),
        (f'{TOML}[health]\nload_per_processor = "2"\n', 4, "load_per_processor must be a number"),
        (f'{TOML}[health]\nlag = "2s"\n', 4, "lag is unknown; known are: replication_lag"),
        (f'{TOML}[levels]\nhigh = "a"\n', 4, "high must be a level and its name"),
        (f"{TOML}[levels]\n1 = 5\n", 4, "1 must be a level and its name"),
        (f'{TOML}[defaults]\ntitle = "T"\n', 4, "title is unknown"),
        (f"{TOML}defaults.max_items = 0\n", 3, "max_items must be a whole number from 1"),
        (f"{TOML}[defaults]\n'max_items' = 0\n", 4, "max_items must be a whole number from 1"),
        ('unit = "topic"\ntitle = ""\n', 2, "title"),
    ],
    ids=_named,
)
def test_a_broken_toml_is_an_error_with_its_line(
    folder: Path, text: str, line: int, problem: str
) -> None:
    said = refusal(folder, text)
    assert problem in said
    assert said.startswith(f"{line}: ")


@pytest.mark.parametrize("name", ["prioritize.sql", "backlog.sql", "process.sql"])
def test_each_sql_file_of_a_cycle_is_needed(folder: Path, name: str) -> None:
    (folder / name).unlink()
    job = load(folder)
    with pytest.raises(FileError, match=rf"topics/{name}: No such file"):
        job.check()


_TYPO = "-- typo\nSELECT 1\nWHERE :as_off > 1;\n"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("prioritize.sql", "-- to do\n", ": holds no statement"),
        ("process.sql", "-- to do\n", ": holds no statement"),
        ("process.sql", "-- two\nCALL p(:item_key);\n\nCALL q(1);\n", ":4: a second statement"),
        ("prioritize.sql", _TYPO, ":3: unknown variable :as_off"),
        ("backlog.sql", _TYPO, ":3: unknown variable :as_off"),
    ],
    ids=_named,
)
def test_a_broken_sql_file_is_an_error_with_its_line(
    folder: Path, name: str, text: str, said: str
) -> None:
    (folder / name).write_text(text)
    with pytest.raises(FileError, match=f"topics/{name}{said}"):
        load(folder).check()


def test_a_job_without_verify_says_how_to_get_one(folder: Path) -> None:
    job = load(folder)
    with pytest.raises(UsageError, match=r"topics cannot be verified so: it has no verify\.sql"):
        _ = job.verify
    (folder / "verify.sql").write_text("SELECT :max_items;")
    with pytest.raises(FileError, match=r"verify\.sql:1: unknown variable :max_items"):
        _ = job.verify


def test_jobs_are_listed_by_name_whole_or_broken(tmp_path: Path) -> None:
    for name in ("b_two", "a_one", ".git", "_drafts"):
        (tmp_path / name).mkdir()
    (tmp_path / "README.md").write_text("no job")
    found = job_paths([sql_folder() / "jobs", tmp_path])
    shipped = ["cache_warm", "counter_caches", "datamart_users", "fix_invoices", "telemetry"]
    assert [path.name for path in found] == ["a_one", "b_two", *shipped]
    assert command_name(found[0]) == "a-one"


def test_a_job_with_the_name_of_a_shipped_one_is_broken_and_takes_its_place(tmp_path: Path) -> None:
    twin = tmp_path / "datamart_users"
    shutil.copytree(SHIPPED, twin)
    found = job_paths([SHIPPED.parent, tmp_path])
    assert twin in found
    assert SHIPPED not in found
    with pytest.raises(FileError) as raised:
        load(twin)
    assert raised.value.message == f"{twin}: the job datamart_users exists in {SHIPPED} too"
