"""`etl new-job`: what it writes runs as it is, and keeps what this project promises."""

import json
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from etl import deploy, job, scaffold
from etl.db import Connection, Target, connect
from etl.deploy import grants, roles
from etl.scaffold import Source, names
from tests.conftest import DEPLOYER, READER, RUNNER, Connect, Etl, Ran
from tests.gates import open_gate, put_gate, shut_gate
from tests.waiting import WAITS_AT_GATE, until_found, until_gone


class NewJob:
    """A job as new-job writes it, and the program with this job among the others."""

    def __init__(self, folder: Path, etl: Etl, dsn: str) -> None:
        self._etl, self.dsn, self.folder = etl, dsn, folder

    def bring_in(self, source: Source, unit: str) -> None:
        """What `etl new-job` and `etl init` do, without starting a program."""
        scaffold.make(self.folder, "thing_counts", source, unit)
        made = job.load(self.folder / "thing_counts")
        with connect(Target.parse(f"{self.dsn} user={DEPLOYER}"), "tests") as owner:
            for file in deploy.pending(owner, [made]):
                deploy.apply(owner, file)
            grants.grant(owner, [made])

    def run(self, *arguments: str, user: str = RUNNER) -> Ran:
        """Run a command."""
        dsn = f"{self.dsn} user={user}"
        return self._etl(*arguments, ETL_DSN=dsn, ETL_JOBS_DIR=str(self.folder))

    def cycle(self, *arguments: str) -> dict[str, int]:
        """Run a cycle. Returns its record."""
        ran = self.run("thing-counts", "--json", *arguments)
        assert ran.status == 0, ran.err
        return dict(json.loads(ran.out))


@pytest.fixture
def new_job(tmp_path: Path, etl: Etl, connection: Connection, dsn: str) -> NewJob:
    """No job yet, but all that makes one."""
    roles.create(connection)  # a copied database lacks the owner's right to make schemas
    return NewJob(tmp_path / "jobs", etl, dsn)


@pytest.fixture
def sample(new_job: NewJob) -> NewJob:
    """The job with the sample that it brings: 10 rows of each of 100 items."""
    new_job.bring_in(Source.named(None, None, "thing_counts"), "item")
    return new_job


def listed(sample: NewJob, connection: Connection, reserved: int, most: int = 1000) -> list[int]:
    text = (sample.folder / "thing_counts" / "prioritize.sql").read_text()
    for name, value in {"now": "now()", "reserved_percent": reserved, "max_items": most}.items():
        text = text.replace(f":'{name}'", str(value)).replace(f":{name}", str(value))
    return [int(key) for key, _ in connection.execute(text.encode()).fetchall()]


def dirty(connection: Connection) -> set[int]:
    rows = connection.execute("SELECT item_key FROM thing_counts.mark").fetchall()
    return {int(key) for (key,) in rows}


def test_a_new_job_runs_as_it_is_written(new_job: NewJob) -> None:
    new_job.folder.mkdir()
    made = new_job.run("new-job", "thing-counts")
    assert made.status == 0, made.err
    assert made.out.splitlines()[-3:] == ["next:", "  etl init", "  etl thing-counts"]
    assert new_job.run("init", user=DEPLOYER).status == 0
    assert new_job.cycle()["done"] == 100
    assert new_job.cycle()["found"] == 0


def test_every_change_is_noticed(sample: NewJob, connection: Connection) -> None:
    sample.cycle()
    assert dirty(connection) == set()
    for change, concerned in (
        ("INSERT INTO thing_counts.sample (item_id, amount) VALUES (7, 1), (500, 2)", {7, 500}),
        ("UPDATE thing_counts.sample SET item_id = 9 WHERE event_id = 1", {2, 9}),
        ("DELETE FROM thing_counts.sample WHERE item_id IN (3, 500)", {3, 500}),
        ("INSERT INTO thing_counts.mark (item_key) VALUES (11)", {11}),
    ):
        connection.execute(change.encode())
        assert dirty(connection) == concerned, change
        for key in concerned:
            connection.execute("CALL thing_counts.refresh($1)", [key])
    wanted = "SELECT item_id, count(*) FROM thing_counts.sample GROUP BY 1 ORDER BY 1"
    stored = "SELECT item_key, source_rows FROM thing_counts.result ORDER BY 1"
    assert connection.execute(stored).fetchall() == connection.execute(wanted).fetchall()
    assert sample.run("verify", "thing-counts", user=READER).status == 0
    connection.execute("TRUNCATE thing_counts.sample")
    assert len(dirty(connection)) == 99
    assert sample.cycle()["done"] == 99
    assert connection.execute(stored).fetchall() == []


def test_verify_finds_what_is_wrong(sample: NewJob, connection: Connection) -> None:
    sample.cycle()
    connection.execute("UPDATE thing_counts.result SET source_rows = 1 WHERE item_key = 4")
    connection.execute("DELETE FROM thing_counts.result WHERE item_key = 5")
    connection.execute("INSERT INTO thing_counts.result VALUES (900, 1, now())")
    ran = sample.run("verify", "thing-counts", "--json")
    assert ran.status == 1
    assert {item["item_key"]: item["problem"] for item in json.loads(ran.out)["items"]} == {
        "4": "differs: source_rows is 1, should be 10",
        "5": "has no result",
        "900": "has a result, but no row in the source",
    }


def test_the_longest_dirty_have_their_share_and_the_rest_follow_the_levels(
    sample: NewJob, connection: Connection
) -> None:
    sample.cycle()
    connection.execute(
        "INSERT INTO thing_counts.mark (item_key, marked_at) OVERRIDING USER VALUE"
        " SELECT n, now() - interval '1 day' * n FROM generate_series(1, 20) AS n"
    )
    connection.execute(
        "INSERT INTO thing_counts.sample (item_id, amount)"
        " SELECT 1000 + n, 1 FROM generate_series(1, 100) AS n"
    )
    fresh = [1000 + n for n in range(1, 101)]
    assert listed(sample, connection, 0, 100) == fresh
    first = listed(sample, connection, 10, 100)
    assert first[9::10] == list(range(20, 10, -1))
    assert [key for key in first if key > 1000] == fresh[:90]
    everything = listed(sample, connection, 10)
    assert len(everything) == len(set(everything)) == 120


@pytest.fixture
def gate(sample: NewJob, connection: Connection) -> Connection:
    """Makes a refresh wait when it has read the source and is about to write. Held by this one."""
    put_gate(connection, "thing_counts.result")
    shut_gate(connection)
    return connection


@pytest.fixture
def paused(sample: NewJob, gate: Connection, connect_again: Connect) -> Connection:
    """A refresh of item 1 that waits at the gate."""
    refreshing = connect_again()
    refreshing.pgconn.send_query(b"CALL thing_counts.refresh('1')")
    refreshing.pgconn.flush()
    until_found(gate, WAITS_AT_GATE)
    return refreshing


def finish(gate: Connection, refreshing: Connection) -> str:
    """Open the gate. Returns the SQLSTATE that the refresh ended with, or an empty text."""
    open_gate(gate)
    state = ""
    while (result := refreshing.pgconn.get_result()) is not None:
        field = result.error_field(psycopg.pq.DiagnosticField.SQLSTATE)
        state = field.decode() if field else state
    return state


CHANGES = [
    "INSERT INTO thing_counts.sample (item_id, amount) VALUES (1, 5)",
    "UPDATE thing_counts.sample SET item_id = 1 WHERE event_id = 1",
    "INSERT INTO thing_counts.mark (item_key) VALUES (1)",
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_between_read_and_write_leaves_the_item_dirty(
    gate: Connection, paused: Connection, change: str
) -> None:
    gate.execute("SET lock_timeout = '5s'")  # whoever changes the source never waits
    gate.execute(change.encode())
    assert finish(gate, paused) == ""
    assert gate.execute("SELECT 1 FROM thing_counts.result WHERE item_key = 1").rowcount == 1
    assert 1 in dirty(gate)


def test_an_undisturbed_refresh_leaves_the_item_clean(gate: Connection, paused: Connection) -> None:
    assert finish(gate, paused) == ""
    assert 1 not in dirty(gate)


def test_a_change_that_is_not_committed_when_the_refresh_ends_leaves_it_dirty(
    gate: Connection, paused: Connection, dsn: str
) -> None:
    owner = connect(Target.parse(f"{dsn} user={gate.info.user}"), "rival")
    with owner, owner.transaction():
        owner.execute(CHANGES[0].encode())
        assert finish(gate, paused) == ""
    assert 1 in dirty(gate)


def test_result_and_marks_go_together_when_the_refresh_is_killed(
    gate: Connection, paused: Connection
) -> None:
    gate.execute("SELECT pg_terminate_backend($1)", [paused.info.backend_pid])
    finish(gate, paused)
    session = "SELECT FROM pg_stat_activity WHERE pid = $1"
    until_gone(gate, session, [paused.info.backend_pid])
    assert gate.execute("SELECT FROM thing_counts.result").rowcount == 0
    assert 1 in dirty(gate)


def test_an_item_is_refreshed_by_one_session_at_a_time(
    gate: Connection, paused: Connection, connect_again: Connect
) -> None:
    with pytest.raises(psycopg.errors.LockNotAvailable, match="item 1 is being refreshed"):
        connect_again().execute("CALL thing_counts.refresh('1')")
    assert finish(gate, paused) == ""


@dataclass(frozen=True)
class Foreign:
    """A table of somebody else's, with one item in two rows when its test is over."""

    schema: str
    table: str
    key: str
    type: str
    value: str


FOREIGN = [
    Foreign('"My Shop"', '"My Shop"."Or\'d""ers; --"', '"the :key"', "text", "'; DROP --\n\""),
    Foreign('"user"', '"user"."order"', '"values"', "uuid", "b9b3f2d0-0000-4000-8000-000000000001"),
    Foreign("shop", "shop.orders", "day", "date", "2026-01-16"),
]


@pytest.fixture(params=FOREIGN, ids=lambda source: source.type)
def foreign(
    request: pytest.FixtureRequest, connection: Connection
) -> Generator[tuple[Foreign, bytes]]:
    """A table with what docs/adding-a-job.md grants, and what adds a row to it."""
    source: Foreign = request.param
    for statement in (
        "CREATE SCHEMA {0.schema}",
        "CREATE TABLE {0.table} ({0.key} {0.type}, amount integer)",
        "GRANT USAGE ON SCHEMA {0.schema} TO etl_owner, etl_runner, etl_reader",
        "GRANT SELECT, TRIGGER ON {0.table} TO etl_owner",
        "GRANT SELECT ON {0.table} TO etl_runner, etl_reader",
        "CREATE ROLE writer_of_it",
        "GRANT USAGE ON SCHEMA {0.schema} TO writer_of_it",
        "GRANT INSERT ON {0.table} TO writer_of_it",
    ):
        connection.execute(statement.format(source).encode())
    yield source, f"INSERT INTO {source.table} VALUES ($1, 1), (NULL, 1)".encode()
    connection.execute("RESET ROLE")
    connection.execute("DROP OWNED BY writer_of_it")
    connection.execute("DROP ROLE writer_of_it")


def test_it_works_on_any_table_of_somebody_elses(
    new_job: NewJob, connection: Connection, foreign: tuple[Foreign, bytes]
) -> None:
    source, insert = foreign
    connection.execute(insert, [source.value])
    new_job.bring_in(Source.named(source.table, source.key, "thing_counts"), "key")
    # Who writes there needs no new right: the triggers have the owner's.
    connection.execute("SET ROLE writer_of_it")
    connection.execute(insert, [source.value])
    connection.execute("RESET ROLE")
    assert new_job.cycle()["done"] == 1
    stored = connection.execute("SELECT item_key::text, source_rows FROM thing_counts.result")
    assert stored.fetchall() == [(source.value, 2)]
    assert new_job.run("verify", "thing-counts", user=READER).status == 0


def test_the_name_of_a_command_or_a_job_is_refused(etl: Etl, tmp_path: Path) -> None:
    for name in ("init", "datamart_users", "load-notes"):
        ran = etl("new-job", name, "--dir", str(tmp_path / "jobs"))
        assert (ran.status, "already" in ran.err) == (2, True), ran.err
    assert not (tmp_path / "jobs").exists()


def test_the_words_that_need_quotes_are_those_of_the_server(connection: Connection) -> None:
    rows = connection.execute("SELECT word FROM pg_get_keywords() WHERE catcode <> 'U'")
    assert {str(word) for (word,) in rows} <= names.KEYWORDS
