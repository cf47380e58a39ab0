"""The folder of a new job: names are data, nothing is overwritten, what is written is whole."""

from pathlib import Path

import pytest

from etl import deploy, job, scaffold
from etl.errors import EtlError, FileError, UsageError
from etl.folders import job_folders, sql_folder
from etl.scaffold import Source, names

SAMPLE = Source.named(None, None, "counts")


def texts(folder: Path) -> dict[str, str]:
    """The files of a folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


def test_what_is_written_is_a_whole_job_without_a_stand_in_left(tmp_path: Path) -> None:
    written = scaffold.make(tmp_path / "jobs", "counts", SAMPLE, "thing")
    made = job.load(tmp_path / "jobs" / "counts")
    made.check()
    deploy.check_files(made)
    assert (made.command, made.unit, made.title) == ("counts", "thing", "Counts")
    found = texts(made.folder)
    assert sorted(made.folder / name for name in found) == sorted(written)
    for name, text in found.items():
        for stand_in in ("job_", "source_table", "source_key", "unit_name", "noqa"):
            assert stand_in not in text, (name, stand_in)


def test_a_table_of_ones_own_brings_no_sample(tmp_path: Path) -> None:
    source = Source.named("shop.orders", "customer", "counts")
    scaffold.make(tmp_path, "counts", source, "customer")
    assert not [name for name in texts(tmp_path / "counts") if "sample" in name]


def test_every_sql_file_says_what_it_is(tmp_path: Path) -> None:
    scaffold.make(tmp_path, "counts", SAMPLE, "thing")
    for name, text in texts(tmp_path / "counts").items():
        if name.endswith(".sql"):
            assert text.startswith("-- "), name
            for word in ("Parameters:", "Returns:", "Locks:", "Cost:"):
                assert f"-- {word}" in text, (name, word)


def test_the_templates_are_no_job() -> None:
    found = job.job_paths(job_folders(None, {}))
    assert [path for path in found if "templates" in path.parts] == []
    assert (sql_folder() / "templates" / "job" / "job.toml").exists()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "counts").mkdir()
    (tmp_path / "counts" / "mine.txt").write_text("mine")
    with pytest.raises(FileError, match="exists already"):
        scaffold.make(tmp_path, "counts", SAMPLE, "thing")
    assert texts(tmp_path / "counts") == {"mine.txt": "mine"}
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileError, match="exists already"):
        scaffold.make(tmp_path, "link", SAMPLE, "thing")


@pytest.mark.parametrize(
    "unit", ["", "Kunde", "two words", "dsn", "workers", "queue", "only", "ä", "a\n"]
)
def test_a_unit_that_makes_no_option_is_refused_before_anything_is_written(
    tmp_path: Path, unit: str
) -> None:
    with pytest.raises(UsageError, match="--unit must be one word"):
        scaffold.make(tmp_path, "counts", SAMPLE, unit)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="Not a directory"):
        scaffold.make(tmp_path / "file" / "jobs", "counts", SAMPLE, "thing")


@pytest.mark.parametrize(("text", "name"), [("order-totals", "order_totals"), ("a1", "a1")])
def test_a_job_is_called_by_hyphens_and_stored_by_underscores(text: str, name: str) -> None:
    assert scaffold.job_name(text, ()) == name


@pytest.mark.parametrize(
    "text",
    ["", "1st", "Big", "a b", "../x", "a/b", "etl", "public", "pg_mine", "ä", "x" * 49, "a\n"],
)
def test_what_is_no_name_for_a_job_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no name for a job"):
        scaffold.job_name(text, ())


def test_a_job_is_no_command_that_exists() -> None:
    with pytest.raises(UsageError, match="there is an 'etl load-notes' already"):
        scaffold.job_name("load_notes", {"load-notes"})


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("shop.orders", "shop.orders"),
        ("Shop.ORDERS", "shop.orders"),
        ('"Shop".orders', '"Shop".orders'),
        ('"a.b"."c d"', '"a.b"."c d"'),
        ("shop.order", 'shop."order"'),
        ('"say ""hi"""."--"', '"say ""hi"""."--"'),
        ('"plain".x$', 'plain."x$"'),
    ],
)
def test_a_table_is_read_and_written_as_in_sql(text: str, sql: str) -> None:
    assert names.table(text) == sql


@pytest.mark.parametrize(
    "text",
    ["", "orders", "a.b.c", "a.", ".b", "a b.c", "a.b;", '"a.b', 'a."b\n"', 'a."$$"', "a.b--",
     "a." + "x" * 64, 'a."' + "ü" * 32 + '"', 'a."\udcff"', 'a.""'],
)  # fmt: skip
def test_what_is_no_table_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"--table must be schema\.table"):
        names.table(text)


@pytest.mark.parametrize(("table", "key"), [("a.b", None), (None, "c")])
def test_table_and_key_go_together(table: str | None, key: str | None) -> None:
    with pytest.raises(EtlError, match="--table and --key go together"):
        Source.named(table, key, "counts")
