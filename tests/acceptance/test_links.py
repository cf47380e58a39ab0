"""Links within the repository lead somewhere: to a file, and to a heading of it."""

import re
from pathlib import Path

import pytest

from etl.folders import sql_folder
from tests.conftest import REPOSITORY

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def pages() -> list[Path]:
    """All Markdown of the repository."""
    folders = (REPOSITORY / "docs", sql_folder(), REPOSITORY / "deploy")
    return [
        *REPOSITORY.glob("*.md"),
        *(page for folder in folders for page in folder.rglob("*.md")),
    ]


def anchor(heading: str) -> str:
    """What a heading is called in a link, as GitHub has it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_the_page_of_the_sql_names_every_folder() -> None:
    page = (sql_folder() / "README.md").read_text()
    for folder in (sql_folder(), sql_folder() / "engine"):
        for part in folder.iterdir():
            if part.is_dir():
                assert f"]({part.relative_to(sql_folder())})" in page, part


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in _LINK.findall(page.read_text()):
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, heading = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{link} leads nowhere"
        if heading:
            assert heading in [anchor(h) for h in _HEADING.findall(target.read_text())], link
