"""`etl explain` of a job that nobody has seen before, and of what goes wrong with it."""

import json
from pathlib import Path
from typing import Any

import pytest

from etl.db import Connection
from tests.conftest import Etl, clear

TABLE = 'shop."Odd ""items"'
TOML = 'title = "Odd"\nunit = "thing"\n'
DONE = f"UPDATE {TABLE} SET \"is dirty\" = FALSE WHERE key = :'item_key'"


class Odd:
    """A job on a table with awkward names, whose statement is no CALL."""

    def __init__(self, folder: Path, etl: Etl, connection: Connection) -> None:
        self.folder, self._etl, self.connection = folder, etl, connection
        folder.mkdir(parents=True)
        for statement in (
            "CREATE SCHEMA shop",
            f'CREATE TABLE {TABLE} (key text, "Part of" integer, "is dirty" boolean, rest text)',
            f"INSERT INTO {TABLE} SELECT 'k' || i, i % 5000, i % 2000 = 0, repeat('x', 60)"
            " FROM generate_series(1, 20000) AS i",
            f"VACUUM ANALYZE {TABLE}",
            "GRANT USAGE ON SCHEMA shop TO etl_runner",
            f"GRANT SELECT, UPDATE ON {TABLE} TO etl_runner",
        ):
            connection.execute(statement.encode())
        self.write("job.toml", TOML)
        self.write("backlog.sql", "SELECT 1 AS level, 0 AS items, now() WHERE FALSE")
        self.write(
            "prioritize.sql",
            f'SELECT t.key AS item_key, 1 AS level, t."Part of" AS part FROM {TABLE} AS t'
            ' WHERE t."is dirty" ORDER BY t.key LIMIT :max_items',
        )
        self.write("process.sql", DONE)

    def write(self, name: str, text: str) -> None:
        """Write a file of the job."""
        (self.folder / name).write_text(text + "\n")

    def explain(self, *arguments: str, status: int = 0) -> dict[str, Any]:
        """Explain it, as the runner."""
        jobs = str(self.folder.parent)
        ran = self._etl("explain", "odd", "--json", *arguments, ETL_JOBS_DIR=jobs)
        assert ran.status == status, ran.err
        found: dict[str, Any] = json.loads(ran.out)
        return found

    def commands(self, *arguments: str) -> set[str]:
        """The commands of all findings."""
        return {finding["command"] for finding in self.explain(*arguments)["findings"]}


@pytest.fixture
def odd(tmp_path: Path, etl: Etl, connection: Connection) -> Odd:
    return Odd(tmp_path / "jobs" / "odd", etl, connection)


def test_a_plain_statement_is_explained_without_any_right_more(odd: Odd) -> None:
    """Of awkward names the commands can be pasted as well, and help."""
    suggested = odd.commands()
    assert suggested == {
        f'CREATE INDEX CONCURRENTLY ON {TABLE} (key) WHERE "is dirty";',
        f"CREATE INDEX CONCURRENTLY ON {TABLE} (key);",
    }
    assert odd.explain()["item_key"] == "k10000"
    for command in suggested:
        odd.connection.execute(command.encode())
    assert odd.commands() == set()
    rows = odd.connection.execute(f'SELECT count(*) FROM {TABLE} WHERE "is dirty"'.encode())
    assert rows.fetchall() == [(10,)]


def test_columns_are_named_by_what_they_leave(odd: Odd) -> None:
    odd.write(
        "process.sql",
        f"UPDATE {TABLE} SET rest = rest WHERE rest <> 'y' AND \"Part of\" = :part AND key >"
        " :'item_key' AND \"is dirty\" IS NOT NULL",
    )
    assert f'CREATE INDEX CONCURRENTLY ON {TABLE} ("Part of");' in odd.commands()


def test_a_listing_that_takes_too_long_is_told_as_planned(odd: Odd) -> None:
    odd.write("job.toml", f'{TOML}[defaults]\nstatement_timeout = "200ms"\n')
    odd.write(
        "backlog.sql",
        f"SELECT 1 AS level, count(*) AS items, now() FROM {TABLE} AS t,"
        ' generate_series(1, 1000000000) AS i WHERE t."is dirty"',
    )
    found = odd.explain()
    (count,) = [query for query in found["queries"] if query["subject"] == "backlog count"]
    assert count["ms"] is None
    assert any("expected" in step["text"] for step in count["steps"])
    of_count = [f for f in found["findings"] if "backlog count" in f["where"]]
    assert [finding["kind"] for finding in of_count] == ["missing_index"]


def test_a_statement_that_fails_is_told_and_the_listing_all_the_same(odd: Odd) -> None:
    odd.write("process.sql", "SELECT 1 / (length(:'item_key') * 0)")
    found = odd.explain(status=1)
    assert found["note"] == "The statement of thing k10000 failed: division by zero [22012]."
    assert {query["subject"] for query in found["queries"]} == {"prioritization", "backlog count"}


def test_a_listing_that_is_broken_is_one_error(odd: Odd, etl: Etl) -> None:
    odd.write("prioritize.sql", "SELECT 1\nFROM nowhere")
    ran = etl("explain", "odd", ETL_JOBS_DIR=str(odd.folder.parent))
    assert clear(ran, 2, 'prioritize.sql:2: relation "nowhere" does not exist')


def test_keys_and_statements_control_no_terminal(odd: Odd, etl: Etl) -> None:
    key = "\x1b[31mred\n'; DROP TABLE x; --"
    ran = etl("explain", "odd", f"--item={key}", ETL_JOBS_DIR=str(odd.folder.parent))
    assert ran.status == 0, ran.err
    assert "\x1b" not in ran.out
    assert "\\x1b[31mred\\n" in ran.out
