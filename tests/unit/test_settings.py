"""Where settings come from, and which folder is private enough."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from etl.errors import StateFolderError, UsageError
from etl.folders import job_folders, private_folder, sql_folder, state_path
from etl.settings import (
    ItemLimit,
    duration_s,
    positive,
    reserved_percent,
    time_limit_s,
    worker_count,
    workers,
)


@pytest.fixture
def open_umask() -> Iterator[None]:
    """Nothing is taken from the mode of a new file."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("500", 500), (" 7 ", 7)])
def test_positive_reads_a_whole_number(text: str, number: int) -> None:
    assert positive("MAX_THREADS", text) == number


@pytest.mark.parametrize("text", ["0", "-3", "", "many", "1.5", "9" * 5000])
def test_positive_refuses_anything_else_by_name(text: str) -> None:
    with pytest.raises(UsageError, match="MAX_THREADS must be a whole number") as raised:
        positive("MAX_THREADS", text)
    assert "MAX_THREADS=500" in raised.value.hint


def test_the_hint_about_a_flag_is_written_as_a_flag() -> None:
    with pytest.raises(UsageError) as raised:
        positive("--max-users", "none")
    assert "--max-users 500" in raised.value.hint


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("90s", 90), ("15m", 900), ("15min", 900), ("2h", 7200), ("168h", 604800)],
)
def test_a_duration_is_read_in_its_unit(text: str, seconds: float) -> None:
    assert duration_s("--time-limit", text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "0s", "15", "1.5h", "-1s", "8d", "169h", "9" * 5000, "1h30m"])
def test_no_duration_is_refused_by_name(text: str) -> None:
    with pytest.raises(UsageError, match="--time-limit must be a duration"):
        duration_s("--time-limit", text)


def test_a_time_limit_is_the_flag_then_the_environment_then_the_job() -> None:
    environ = {"CYCLE_TIME_LIMIT": "2m"}
    assert time_limit_s("1m", environ, 5.0) == 60
    assert time_limit_s(None, environ, 5.0) == 120
    assert time_limit_s(None, {"CYCLE_TIME_LIMIT": ""}, 5.0) == 5.0
    assert time_limit_s(None, {}, None) is None
    with pytest.raises(UsageError, match="CYCLE_TIME_LIMIT must be"):
        time_limit_s(None, {"CYCLE_TIME_LIMIT": "soon"}, None)


def test_a_reserved_share_is_the_flag_then_the_environment_then_the_job() -> None:
    assert reserved_percent(0, {"RESERVED_PERCENT": "5"}, 10) == 0
    assert reserved_percent(None, {"RESERVED_PERCENT": "5"}, 10) == 5
    assert reserved_percent(None, {}, 10) == 10


@pytest.mark.parametrize(
    ("flag", "environ", "expected"),
    [
        ("7", {"MAX_THREADS": "3"}, 7),
        (None, {"MAX_THREADS": "5"}, 4),
        (None, {"MAX_THREADS": "1"}, 1),
    ],
)
def test_workers_are_the_flag_or_one_less_than_the_threads(
    flag: str | None, environ: dict[str, str], expected: int
) -> None:
    assert workers(flag, environ) == (expected, None)


def test_workers_can_be_left_to_the_cycle() -> None:
    first, most = workers("auto", {"MAX_THREADS": "3"})
    assert first == 2
    assert most is not None
    assert 8 <= most <= 32


@pytest.mark.parametrize("flag", ["0", "-1", "many", "Auto", ""])
def test_any_other_number_of_workers_is_refused_by_name(flag: str) -> None:
    with pytest.raises(UsageError, match="--workers must be"):
        workers(flag, {})


def test_without_a_setting_the_processors_count() -> None:
    assert 1 <= worker_count({}) <= max(1, (os.cpu_count() or 1) - 1)
    assert worker_count({"MAX_THREADS": ""}) == worker_count({})


def test_a_wrong_number_of_threads_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="MAX_THREADS"):
        worker_count({"MAX_THREADS": "all"})


@pytest.mark.parametrize(
    ("flag", "environ", "max_items"),
    [
        (10, {"MAX_USERS_PER_CYCLE": "20"}, 10),
        (None, {"MAX_USERS_PER_CYCLE": "20"}, 20),
        (None, {"MAX_USERS_PER_CYCLE": ""}, 30),
        (None, {"MAX_NOTES_PER_CYCLE": "20"}, 30),
    ],
)
def test_flag_goes_before_environment_before_default(
    flag: int | None, environ: dict[str, str], max_items: int
) -> None:
    limit = ItemLimit.read(flag, environ, "user", 30)
    assert limit == ItemLimit(max_items)
    assert limit.at(10**9) == (max_items, False)


@pytest.mark.parametrize(
    ("more", "larger"),
    [
        ({}, 500),
        ({"CATCHUP_MULTIPLIER": "3"}, 300),
        ({"MAX_USERS_PER_CYCLE_CATCHUP": "250"}, 250),
        ({"MAX_USERS_PER_CYCLE_CATCHUP": "250", "CATCHUP_MULTIPLIER": "3"}, 250),
        ({"MAX_USERS_PER_CYCLE_CATCHUP": "50"}, 100),
    ],
    ids=["5 times", "multiplier", "explicit", "explicit first", "never smaller"],
)
def test_catching_up_begins_above_the_threshold(more: dict[str, str], larger: int) -> None:
    environ = {"MAX_USERS_PER_CYCLE": "100", "CATCHUP_THRESHOLD": "1000", **more}
    limit = ItemLimit.read(None, environ, "user", 30)
    assert limit.at(1000) == (100, False)
    assert limit.at(1001) == (larger, True)


def test_with_a_flag_or_without_a_threshold_nothing_is_caught_up() -> None:
    environ = {"MAX_USERS_PER_CYCLE_CATCHUP": "9000", "CATCHUP_MULTIPLIER": "9"}
    assert ItemLimit.read(None, environ, "user", 30).at(5000) == (30, False)
    environ["CATCHUP_THRESHOLD"] = "1"
    assert ItemLimit.read(10, environ, "user", 30).at(5000) == (10, False)


@pytest.mark.parametrize("name", ["MAX_USERS_PER_CYCLE", "CATCHUP_THRESHOLD"])
def test_a_wrong_limit_in_the_environment_is_refused_by_name(name: str) -> None:
    with pytest.raises(UsageError, match=rf"^{name} must be"):
        ItemLimit.read(None, {name: "-1"}, "user", 30)


def test_jobs_are_found_in_the_shipped_folder_and_in_one_more(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    shipped = sql_folder() / "jobs"
    assert shipped.is_dir()
    assert job_folders(None, {}) == [shipped]
    assert job_folders(None, {"ETL_JOBS_DIR": ""}) == [shipped]
    assert job_folders(None, {"ETL_JOBS_DIR": str(tmp_path)}) == [shipped, tmp_path]
    assert job_folders(other, {"ETL_JOBS_DIR": str(tmp_path)}) == [shipped, other]


def test_a_jobs_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="gone cannot be used: No such file"):
        job_folders(tmp_path / "gone", {})
    with pytest.raises(UsageError, match="away cannot be used: No such file"):
        job_folders(None, {"ETL_JOBS_DIR": str(tmp_path / "away")})


def test_state_is_kept_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert state_path({}) == tmp_path / ".local/state/etl"
    assert state_path({"XDG_STATE_HOME": "/x"}) == Path("/x/etl")
    assert state_path({"XDG_STATE_HOME": "/x", "ETL_STATE_DIR": "/y"}) == Path("/y")
    assert state_path({"ETL_STATE_DIR": "here"}) == Path.cwd() / "here"
    # A relative one is ignored, as its specification demands.
    assert state_path({"XDG_STATE_HOME": "here"}) == tmp_path / ".local/state/etl"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody without a name")
def test_without_a_home_folder_the_state_folder_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("HOME")
    os.setresuid(12345, -1, -1)  # the real user id, by which a home is looked up
    try:
        with pytest.raises(StateFolderError, match="has no home folder") as raised:
            state_path({})
    finally:
        os.setresuid(0, -1, -1)
    assert "Set ETL_STATE_DIR" in raised.value.hint
    assert state_path({"ETL_STATE_DIR": "/y"}) == Path("/y")


def test_a_private_folder_is_made_for_this_user_alone(tmp_path: Path, open_umask: None) -> None:
    path = private_folder(tmp_path / "a" / "b" / "state")
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert private_folder(path) == path
    for folder in path.parents[:2]:
        assert stat.S_IMODE(folder.stat().st_mode) & 0o022 == 0, "others can write it"


def test_a_symbolic_link_is_no_private_folder_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    for target, said in (("real", "to_real is a symbolic link"), ("gone", "to_gone")):
        (tmp_path / f"to_{target}").symlink_to(tmp_path / target)
        with pytest.raises(StateFolderError, match=said):
            private_folder(tmp_path / f"to_{target}")
    assert not (tmp_path / "gone").exists()


def test_a_file_is_no_private_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(StateFolderError, match="file"):
        private_folder(tmp_path / "file")
    with pytest.raises(StateFolderError, match="cannot make the state folder") as raised:
        private_folder(tmp_path / "file" / "state")
    assert "ETL_STATE_DIR" in raised.value.hint
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_a_folder_of_somebody_else_is_not_private(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.mkdir(mode=0o700)
    os.chown(path, 12345, -1)
    with pytest.raises(StateFolderError, match="belongs to user id 12345, not to you"):
        private_folder(path)


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o1777])
def test_a_folder_that_others_can_write_is_not_private(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "state"
    path.mkdir()
    path.chmod(mode)
    with pytest.raises(StateFolderError, match=r"can be written by others \(chmod go-w"):
        private_folder(path)
    path.chmod(0o755)
    assert private_folder(path) == path


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write everywhere")
def test_a_folder_without_write_permission_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.mkdir(mode=0o500)
    with pytest.raises(StateFolderError, match="is not writable"):
        private_folder(path)
