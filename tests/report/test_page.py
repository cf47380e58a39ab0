"""The page in a real browser: its numbers are the ledger's, it loads nothing, it fits a phone."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from etl.db import Connection
from tests.conftest import Etl
from tests.report.browser import show
from tests.report.ledgers import EVIL, add_cycle, add_earlier, add_evil, add_held, add_large

_MEASURE = """<!DOCTYPE html><title>frames</title><link rel="icon" href="data:,"><script>
onload = () => {
  document.body.textContent = [...document.querySelectorAll("iframe")].map((frame) => {
    const root = frame.contentDocument.documentElement;
    const text = [...frame.contentDocument.querySelectorAll("svg text")];
    const small = text.filter((one) => one.getBoundingClientRect().height < 11).length;
    return [frame.name, root.scrollWidth, root.clientWidth, frame.contentDocument.title,
            frame.contentDocument.querySelectorAll("script, img, iframe").length, small].join("|");
  }).join("\\n");
};
</script><body>"""

Numbers = dict[tuple[str, str, str], str]


class _Reader(HTMLParser):
    """Takes the numbers out of a page: where they stand (an id, a row), their name, their value."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers: Numbers = {}
        self._place = self._row = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if given.get("id"):
            self._place, self._row = given["id"], ""
        keys = ("data-cycle", "data-level", "data-weight", "data-sqlstate")
        row = [given[key] for key in keys if key in given]
        if tag == "tr":
            self._row = row[0] if row else ""
        if "data-name" in given:
            self.numbers[self._place, self._row, given["data-name"]] = given["data-value"]


def numbers(dom: str) -> Numbers:
    reader = _Reader()
    reader.feed(dom)
    return reader.numbers


@pytest.fixture
def page(etl: Etl) -> str:
    """The page of what the ledger has."""
    return written(etl)


def written(etl: Etl) -> str:
    ran = etl("report", "datamart-users", "-o", "-")
    assert ran.status == 0, ran.err
    return ran.out


@pytest.fixture
def ledger(connection: Connection) -> int:
    """Five cycles; of the last one the attempts, and three held items."""
    add_earlier(connection, 4)
    add_held(connection)
    return add_cycle(connection)


def test_its_numbers_are_the_ledgers_and_it_asks_for_nothing(
    connection: Connection, ledger: int, page: str, tmp_path: Path
) -> None:
    seen = show({"/report.html": page}, "/report.html", tmp_path)
    assert seen.console == []
    assert seen.requests == ["/report.html"]
    told = numbers(seen.dom)
    counts = ("found", "done", "failed", "busy", "orphaned", "remaining")
    for cycle_id, *expected in connection.execute(
        f"SELECT cycle_id, {', '.join(counts)} FROM etl.cycle".encode()
    ):
        row = [int(told["cycles", str(cycle_id), name]) for name in counts]
        assert row == expected
    assert [int(told["figures", "", name]) for name in counts] == [300, 190, 4, 2, 1, 103]
    for level, found, done, left in connection.execute(
        "SELECT l.level, l.found, l.done, l.left FROM etl.cycle AS c,"
        " jsonb_to_recordset(levels) AS l (level text, found text, done text, \"left\" text)"
        " WHERE cycle_id = $1", [ledger],
    ):  # fmt: skip
        row_of = ("levels", level)
        assert (told[*row_of, "found"], told[*row_of, "done"]) == (found, done)
        assert told[*row_of, "left"] == (left or "")
    failures = connection.execute(
        "SELECT coalesce(sqlstate, ''), count(*) FROM etl.attempt"
        " WHERE cycle_id = $1 AND outcome <> 'done' GROUP BY 1", [ledger],
    ).fetchall()  # fmt: skip
    assert len(failures) == 4
    for sqlstate, items in failures:
        assert told["failures", sqlstate, "attempts"] == str(items)
    binned = {row: n for (at, row, name), n in told.items() if (at, name) == ("costs", "items")}
    expected_bins = connection.execute(
        "SELECT lower, count(*) FROM etl.attempt JOIN (VALUES (0, 1), (1, 2), (2, 4), (4, 8),"
        " (8, 16), (16, 32), (32, 64), (64, 128), (128, 256)) AS b (lower, upper)"
        " ON weight >= lower AND weight < upper WHERE outcome = 'done' GROUP BY 1"
    ).fetchall()
    assert {float(row): int(value) for row, value in binned.items()} == dict(expected_bins)
    waiting = [told["waiting", "", name] for name in ("held", "quarantined", "due")]
    assert waiting == ["1", "1", "1"]


def test_no_page_is_wider_than_a_phone_nor_its_text_too_small(
    connection: Connection, etl: Etl, tmp_path: Path
) -> None:
    pages = {"/empty": written(etl)}
    add_earlier(connection, 1)
    pages["/one"] = written(etl)
    cycle_id = add_cycle(connection)
    pages["/full"] = written(etl)
    add_evil(connection, cycle_id)
    pages["/evil"] = written(etl)
    add_large(connection, 64_000)
    pages["/large"] = written(etl)
    assert len(pages["/large"].encode()) < 500_000
    add_cycle(connection, is_finished=False, attempts=False)
    pages["/running"] = written(etl)
    frames = "".join(
        f'<iframe name="{path}" src="{path}" width=320 height=900></iframe>' for path in pages
    )
    seen = show({**pages, "/": _MEASURE + frames}, "/", tmp_path)
    assert seen.console == []
    assert sorted(seen.requests) == sorted(["/", *pages])
    lines = re.findall(r"(/\w+)\|(\d+)\|(\d+)\|([^|]+)\|(\d+)\|(\d+)", seen.dom)
    assert [path for path, *_ in lines] == list(pages)
    for path, wide, inner, title, foreign, small in lines:
        assert (path, wide, inner, foreign, small) == (path, "320", "320", "0", "0")
        assert title.startswith("User datamarts")


def test_evil_texts_stay_texts(connection: Connection, etl: Etl) -> None:
    add_evil(connection, add_cycle(connection))
    page = written(etl)
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "{{ 7 * 7 }}" in page
    assert "\\u202eright to left\\u202c \u05d0\u05d1\u05d2" in page
    assert "a\\x1b[2J\\x07\\r\\nb\\x7f\\x85\\ufeff" in page
    assert EVIL[-1] not in page
    assert "(1,840 more characters)" in page
    assert all(line.replace("\xa0", " ").isprintable() for line in page.split("\n"))


def test_the_watch_sees_what_it_is_for(tmp_path: Path, page: str) -> None:
    """A browser that told nothing would pass any page."""
    bad = page.replace(
        "</header>",
        '</header><script>document.title = "ran"</script><img src="http://evil.test/x">'
        '<p style="width:40em">wide</p>',
    )
    seen = show({"/bad": bad}, "/bad", tmp_path / "guarded")
    assert len(seen.console) == 3
    assert seen.requests == ["/bad"]
    open_page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", bad)
    frame = '<iframe name="/bad" src="/bad" width=320 height=900></iframe>'
    seen = show({"/bad": open_page, "/": _MEASURE + frame}, "/", tmp_path / "open")
    assert "http://evil.test/x" in seen.requests
    assert "|ran|" in seen.dom
    assert int(seen.dom.split("/bad|")[1].split("|")[0]) > 600
