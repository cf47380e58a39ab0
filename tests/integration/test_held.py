"""`etl held`: what waits after failures is listed; it is released as asked for, or not at all."""

from collections.abc import Callable

import pytest

from etl.db import Connection
from tests.conftest import Connect, Etl, runner
from tests.faults.conftest import Run
from tests.waiting import WAITS_FOR_LOCK, until_found

AHEAD, PAST = "2999-01-02T03:04:05Z", "2026-01-02T03:04:05Z"
Hold = Callable[..., None]


@pytest.fixture
def hold(connection: Connection) -> Hold:
    """Puts an item into the ledger as a cycle does that saw it fail."""

    def insert(
        key: str,
        sqlstate: str | None = "57014",
        *,
        until: str = AHEAD,
        quarantined: str | None = None,
        job: str = "datamart_users",
        message: str = "canceling statement",
    ) -> None:
        connection.execute(
            "INSERT INTO etl.held_item (job, item_key, attempts, held_until, quarantined_at,"
            " last_cycle_id, last_outcome, last_sqlstate, last_message)"
            " VALUES ($1, $2, 3, $3, $4, 7, $5, $6, $7)",
            [
                job, key, until, quarantined, "failed" if sqlstate else "orphaned",
                sqlstate, message,
            ],
        )  # fmt: skip

    return insert


@pytest.fixture
def three(hold: Hold) -> None:
    """One that waits for its back-off, one for a person, one whose worker died."""
    hold("11")
    hold("12", "22012", until=PAST, quarantined=PAST, message="division by zero")
    hold("13", None, message="the cycle was cut off")


def keys(connection: Connection) -> list[str]:
    rows = connection.execute("SELECT item_key FROM etl.held_item ORDER BY item_key")
    return [str(key) for (key,) in rows]


@pytest.mark.usefixtures("three")
def test_the_list_is_a_table_with_those_that_wait_for_a_person_first(etl: Etl) -> None:
    ran = etl("held", "list", "datamart-users").ended(0)
    assert ran.out.splitlines() == [
        "user  state        attempts  outcome   SQLSTATE  until, or since       cycle  message",
        f"12    quarantined  3         failed    22012     {PAST}  7      division by zero",
        f"11    held         3         failed    57014     {AHEAD}  7      canceling statement",
        f"13    held         3         orphaned  -         {AHEAD}  7      the cycle was cut off",
        "",
        "1 quarantined, 2 held",
    ]


@pytest.mark.usefixtures("three")
def test_the_list_as_json_has_every_fact(etl: Etl) -> None:
    (first, *_) = listed = etl("held", "list", "--json").record
    assert [item["item_key"] for item in listed] == ["12", "11", "13"]
    assert listed[2]["sqlstate"] is None
    assert first == {
        "job": "datamart_users",
        "item_key": "12",
        "state": "quarantined",
        "attempts": 3,
        "outcome": "failed",
        "sqlstate": "22012",
        "message": "division by zero",
        "held_until": PAST,
        "quarantined_at": PAST,
        "last_cycle_id": 7,
    }


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--sqlstate=22012"], ["12"]),
        (["--sqlstate=57"], ["11"]),
        (["--sqlstate=57014", "--quarantined"], []),
        (["--outcome=orphaned"], ["13"]),
        (["--outcome=failed"], ["12", "11"]),
        (["--quarantined"], ["12"]),
    ],
)
@pytest.mark.usefixtures("three")
def test_the_list_can_be_narrowed(etl: Etl, options: list[str], expected: list[str]) -> None:
    listed = etl("held", "list", "datamart-users", "--json", *options).record
    assert [item["item_key"] for item in listed] == expected


def test_without_a_job_the_items_of_all_jobs_are_listed(etl: Etl, hold: Hold) -> None:
    hold("11")
    hold("x", job="another")
    lines = etl("held", "list").out.splitlines()
    assert [line.split()[:2] for line in lines[:3]] == [
        ["job", "key"],
        ["another", "x"],
        ["datamart_users", "11"],
    ]
    assert etl("held", "list", "datamart-users", "--json").record[0]["item_key"] == "11"


def test_an_item_is_due_when_its_back_off_is_over(etl: Etl, hold: Hold) -> None:
    hold("11", until=PAST)
    hold("12", until="infinity")
    listed = etl("held", "list", "--json").record
    assert [(item["state"], item["held_until"]) for item in listed] == [
        ("due", PAST),
        ("held", "infinity"),
    ]
    assert etl("held", "list").out.endswith("\n1 held, 1 due\n")


def test_any_key_and_message_is_one_line_that_controls_no_terminal(etl: Etl, hold: Hold) -> None:
    hold("a\nb\x1b[2J", message="no\u2028way\x07")
    hold("x" * 90)
    out = etl("held", "list").out
    assert "a\\nb\\x1b[2J " in out
    assert "no\\u2028way\\x07\n" in out
    assert len(out.splitlines()) == 5
    assert all(line.isprintable() for line in out.splitlines())


@pytest.mark.parametrize("arguments", [[], ["datamart-users"]])
def test_an_empty_list_says_so(etl: Etl, arguments: list[str]) -> None:
    ran = etl("held", "list", *arguments)
    assert (ran.status, ran.out) == (0, "nothing is held\n")
    assert etl("held", "list", *arguments, "--json").record == []
    assert etl("held", "list", "--quarantined").out == "nothing that is held matches\n"


@pytest.mark.parametrize(
    ("options", "released", "left"),
    [
        (["12"], ["12"], ["11", "13"]),
        (["13", "11", "13"], ["11", "13"], ["12"]),
        (["--sqlstate=22012"], ["12"], ["11", "13"]),
        (["--sqlstate=57"], ["11"], ["12", "13"]),
        (["--sqlstate=23"], [], ["11", "12", "13"]),
        (["--outcome=orphaned"], ["13"], ["11", "12"]),
        (["--outcome=failed"], ["11", "12"], ["13"]),
        (["--all"], ["11", "12", "13"], []),
    ],
)
@pytest.mark.usefixtures("three")
def test_release_lets_go_what_is_named_and_nothing_else(
    etl: Etl,
    connection: Connection,
    hold: Hold,
    options: list[str],
    released: list[str],
    left: list[str],
) -> None:
    hold("12", job="another")
    ran = etl("held", "release", "datamart-users", *options, "--json").ended(0)
    assert ran.record == {"job": "datamart_users", "released": len(released), "items": released}
    assert keys(connection) == sorted([*left, "12"])


@pytest.mark.usefixtures("three")
def test_release_tells_how_many(etl: Etl) -> None:
    assert etl("held", "release", "datamart_users", "12").out == "User datamarts: released 1 user\n"
    ran = etl("held", "release", "datamart-users", "--all")
    assert ran.out == "User datamarts: released 2 users\n"
    ran = etl("held", "release", "datamart-users", "--all")
    assert (ran.status, ran.out) == (0, "User datamarts: released 0 users\n")


def test_any_text_is_a_key_and_never_sql(etl: Etl, connection: Connection, hold: Hold) -> None:
    odd = [
        "it's",
        'a "b"',
        "new\nline",
        "'; DROP TABLE etl.held_item; --",
        "{a,b}",
        "\\N",
        "",
        "-1",
    ]
    for key in (*odd, "11"):
        hold(key)
    listed = etl("held", "list", "--json").record
    assert {item["item_key"] for item in listed} == {*odd, "11"}
    assert etl("held", "release", "datamart-users", "--", *odd).status == 0
    assert keys(connection) == ["11"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["datamart-users", "11", "99"], "not held: '99'; nothing was released"),
        (["datamart-users", *"abcdefg"], "not held: 'a', 'b', 'c', 'd', 'e' and 2 more;"),
        (["datamart-users"], "say which items to release"),
        (["datamart-users", "11", "--all"], "say which items to release, in one way"),
        (["datamart-users", "11", "--sqlstate=22012"], "say which items to release, in one way"),
        (["datamart-users", "--all", "--outcome=failed"], "say which items to release, in one way"),
        (["datamart-users", "--sqlstate="], "--sqlstate '' is no SQLSTATE"),
        (["datamart-users", "--sqlstate=2201"], "--sqlstate '2201' is no SQLSTATE"),
        (["datamart-users", "--sqlstate=%%"], "--sqlstate '%%' is no SQLSTATE"),
        (["datamart-users", "--sqlstate=2\u0662"], "--sqlstate '2\\u0662' is no SQLSTATE"),
        (["datamart-users", "--sqlstate=22\n"], "--sqlstate '22\\n' is no SQLSTATE"),
        (["datamart-users", "--outcome=busy"], "--outcome"),
        (["datamart-users", "\udcff"], "the key '\\udcff' is not UTF-8"),
        (["nothing", "--all"], "there is no job nothing"),
    ],
)
@pytest.mark.usefixtures("three")
def test_what_cannot_be_released_is_one_error_and_releases_nothing(
    etl: Etl, connection: Connection, arguments: list[str], said: str
) -> None:
    assert etl("held", "release", *arguments).ended(2, said).out == ""
    assert keys(connection) == ["11", "12", "13"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "there is no job nothing"),
        ([""], "there is no job"),
        (["--sqlstate=x"], "--sqlstate 'x' is no SQLSTATE"),
        (["--outcome=done"], "--outcome"),
    ],
)
def test_a_wrong_question_is_one_error(etl: Etl, arguments: list[str], said: str) -> None:
    assert etl("held", "list", *arguments).ended(2, said).out == ""


def test_a_code_in_small_letters_is_the_same_code(etl: Etl, hold: Hold) -> None:
    hold("11", "P0001")
    assert len(etl("held", "list", "--sqlstate=p0001", "--json").record) == 1


@pytest.mark.parametrize("arguments", [["list"], ["release", "datamart-users", "--all"]])
def test_a_database_without_schema_and_no_database_are_told(
    environment: dict[str, str], bare_dsn: str, arguments: list[str]
) -> None:
    run = runner(environment)
    ran = run("held", *arguments, ETL_DSN=bare_dsn).ended(2, "no schema of etl yet", "etl init")
    assert ran.out == ""
    run("held", *arguments, ETL_DSN="host=/nowhere dbname=x").ended(69, "cannot reach the database")


def test_a_release_waits_for_a_cycle_that_is_closing_and_neither_fails(
    environment: dict[str, str],
    dsn: str,
    connection: Connection,
    connect_again: Connect,
    hold: Hold,
) -> None:
    """Row by row they would wait for each other: the cycle for 'a', the release for 'z'."""
    hold("a")
    hold("z")
    closing = connect_again()
    closing.execute("BEGIN")
    closing.execute("DELETE FROM etl.held_item WHERE item_key = 'z'")
    run = Run({**environment, "ETL_DSN": dsn}, "held", "release", "datamart-users", "--all")
    until_found(connection, WAITS_FOR_LOCK, running=run.process)
    closing.execute("UPDATE etl.held_item SET attempts = 4 WHERE item_key = 'a'")
    closing.execute("COMMIT")
    run.ended(0, items=["a"])
