"""What holds an item and for how long, and what lets it go: real cycles, a real init."""

import shutil
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from etl.db import Connection
from tests.conftest import DEPLOYER, Etl, runner
from tests.support import DAY, add_facts, add_users, opened, user_ids

AS_OF = f"--as-of={DAY}"
RAISE = (
    "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN"
    " IF NEW.dimension_user_id = ANY('{%s}') THEN"
    " RAISE EXCEPTION 'refused' USING ERRCODE = '%s'; END IF; RETURN NEW; END $f$"
)


@pytest.fixture
def users(connection: Connection) -> dict[str, int]:
    """Four users, the most urgent first; writing the row of one can be made to fail."""
    names = ("ana", "bo", "cy", "dora")
    add_users(connection, *names)
    facts = [opened(n, f"2026-01-15 {20 - n}:00", name) for n, name in enumerate(names, 1)]
    add_facts(connection, facts)
    connection.execute((RAISE % ("", "P0001")).encode())
    connection.execute(
        "CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON dwh.datamart_users"
        " FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    return user_ids(connection)


def refuse(connection: Connection, sqlstate: str, *users: int) -> None:
    """From now on the rows of these users cannot be written."""
    connection.execute((RAISE % (",".join(map(str, users)), sqlstate)).encode())


def end_back_offs(connection: Connection) -> None:
    connection.execute("UPDATE etl.held_item SET held_until = now()")


def states(connection: Connection) -> list[tuple[object, ...]]:
    return connection.execute(
        "SELECT item_key::integer, state, attempts FROM etl.held ORDER BY 1"
    ).fetchall()


@pytest.mark.parametrize("sqlstate", ["21000", "22012", "23514", "44000", "P0002", "P0004"])
def test_wrong_data_is_tried_once_again_and_then_waits_for_a_person(
    etl: Etl, connection: Connection, users: dict[str, int], sqlstate: str
) -> None:
    refuse(connection, sqlstate, users["ana"])
    assert etl("datamart-users", AS_OF).status == 1
    assert states(connection) == [(users["ana"], "held", 1)]
    end_back_offs(connection)
    etl("datamart-users", AS_OF, "--json").told(failed=1, held=0, quarantined=1)
    end_back_offs(connection)
    assert etl("datamart-users", AS_OF).status == 3
    assert states(connection) == [(users["ana"], "quarantined", 2)]


@pytest.mark.parametrize("sqlstate", ["53200", "57014", "P0001", "40001"])
def test_what_may_pass_by_itself_is_tried_max_attempts_times(
    etl: Etl, connection: Connection, users: dict[str, int], sqlstate: str
) -> None:
    refuse(connection, sqlstate, users["ana"])
    seen: list[str] = []
    for _ in range(5):
        etl("datamart-users", AS_OF)
        seen += [str(state) for _, state, _ in states(connection)]
        end_back_offs(connection)
    assert seen == ["held"] * 4 + ["quarantined"]


def test_only_two_data_errors_in_a_row_are_enough(
    etl: Etl, connection: Connection, users: dict[str, int]
) -> None:
    for attempt, sqlstate in enumerate(["22012", "57014", "23514"], 1):
        refuse(connection, sqlstate, users["ana"])
        etl("datamart-users", AS_OF)
        assert states(connection) == [(users["ana"], "held", attempt)]
        end_back_offs(connection)
    refuse(connection, "22003", users["ana"])
    etl("datamart-users", AS_OF)
    assert states(connection) == [(users["ana"], "quarantined", 4)]


def test_a_user_that_is_done_in_between_begins_anew(
    etl: Etl, connection: Connection, users: dict[str, int]
) -> None:
    for _ in range(2):
        refuse(connection, "22012", users["ana"])
        connection.execute("UPDATE dwh.dimension_users SET modified = TRUE WHERE username = 'ana'")
        etl("datamart-users", AS_OF)
        assert states(connection) == [(users["ana"], "held", 1)]
        end_back_offs(connection)
        refuse(connection, "22012")
        assert etl("datamart-users", AS_OF).status == 0
        assert states(connection) == []


def test_held_users_leave_their_slots_to_the_next_ones(
    etl: Etl, connection: Connection, users: dict[str, int]
) -> None:
    refuse(connection, "57014", users["ana"], users["bo"])
    etl("datamart-users", AS_OF, "--max-users=2", "--json").told(done=0, failed=2, remaining=2)
    etl("datamart-users", AS_OF, "--max-users=2", "--json").told(found=2, done=2, held=2)
    rows = connection.execute("SELECT dimension_user_id FROM dwh.datamart_users").fetchall()
    assert {user for (user,) in rows} == {users["cy"], users["dora"]}


def test_a_released_user_is_taken_by_the_next_cycle(
    etl: Etl, connection: Connection, users: dict[str, int]
) -> None:
    refuse(connection, "22012", users["ana"])
    etl("datamart-users", AS_OF)
    refuse(connection, "22012")
    assert etl("datamart-users", AS_OF, "--json").record["found"] == 0
    assert etl("held", "release", "datamart-users", str(users["ana"])).status == 0
    assert etl("datamart-users", AS_OF, "--json").record["done"] == 1


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    """A folder with a job that has a procedure, and one that has none."""
    for name in ("tally", "other"):
        folder = tmp_path / "jobs" / name
        (folder / "procedures").mkdir(parents=True)
        (folder / "job.toml").write_text('title = "Tally"\nunit = "thing"\n')
        (folder / "procedures" / "one.sql").write_text(
            "CREATE OR REPLACE FUNCTION dwh.one() RETURNS integer LANGUAGE sql AS 'SELECT 1';\n"
        )
    shutil.rmtree(tmp_path / "jobs" / "other" / "procedures")
    return tmp_path / "jobs"


@pytest.fixture
def init(environment: dict[str, str], dsn: str) -> Etl:
    """Runs the program as who deploys."""
    return runner({**environment, "ETL_DSN": make_conninfo(dsn, user=DEPLOYER)})


def hold(connection: Connection, *jobs: str) -> None:
    """A held and a quarantined item of each of these jobs."""
    for job in jobs:
        connection.execute(
            "INSERT INTO etl.held_item SELECT $1, k, 2, 'infinity', CASE k WHEN 'b' THEN now() END,"
            " 1, 'failed', '22012' FROM unnest('{a,b}'::text[]) AS k",
            [job],
        )


def counted(connection: Connection) -> dict[str, int]:
    rows = connection.execute("SELECT job, count(*) FROM etl.held_item GROUP BY 1").fetchall()
    return {str(job): int(items) for job, items in rows}


def mend(jobs: Path, text: str) -> None:
    path = jobs / "tally" / "procedures" / "one.sql"
    path.write_text(path.read_text().replace("SELECT 1", text))


def test_a_changed_procedure_releases_what_its_job_holds(
    init: Etl, connection: Connection, jobs: Path
) -> None:
    hold(connection, "tally", "other")
    first = init("init", "--json", ETL_JOBS_DIR=str(jobs))
    assert first.record["released"] == []  # a new procedure is no changed one
    assert counted(connection) == {"tally": 2, "other": 2}
    mend(jobs, "SELECT 2")
    ran = init("init", "--dry-run", "--json", ETL_JOBS_DIR=str(jobs))
    assert ran.record["released"] == []
    assert counted(connection) == {"tally": 2, "other": 2}
    ran = init("init", ETL_JOBS_DIR=str(jobs))
    assert ran.out.splitlines() == [
        "applied  tally: procedures/one.sql",
        "released 2 held items of tally: one.sql changed",
    ]
    assert counted(connection) == {"other": 2}
    hold(connection, "tally")
    assert init("init", ETL_JOBS_DIR=str(jobs)).out.startswith("nothing to do")
    assert counted(connection) == {"tally": 2, "other": 2}


def test_the_release_by_a_changed_procedure_is_told_in_json(
    init: Etl, connection: Connection, jobs: Path
) -> None:
    init("init", ETL_JOBS_DIR=str(jobs))
    hold(connection, "tally")
    mend(jobs, "SELECT 2")
    ran = init("init", "--json", ETL_JOBS_DIR=str(jobs))
    released = {"job": "tally", "name": "procedures/one.sql", "items": 2}
    assert ran.record["released"] == [released]


def test_a_procedure_that_is_refused_releases_nothing(
    init: Etl, connection: Connection, jobs: Path
) -> None:
    init("init", ETL_JOBS_DIR=str(jobs))
    hold(connection, "tally")
    mend(jobs, "SELECT nonsense")
    assert init("init", ETL_JOBS_DIR=str(jobs)).status == 2
    assert counted(connection) == {"tally": 2}


def test_a_changed_file_of_the_engine_releases_nothing(init: Etl, connection: Connection) -> None:
    hold(connection, "datamart_users", "etl")
    connection.execute(
        "UPDATE etl.applied_file SET checksum = '' WHERE name = 'procedures/back_off.sql'"
    )
    ran = init("init")
    assert ran.out == "applied  etl: procedures/back_off.sql\n"
    assert counted(connection) == {"datamart_users": 2, "etl": 2}
