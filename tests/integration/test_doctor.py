"""`etl doctor`: each trouble is provoked, found, and mended by the command that it gives."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from etl.db import Connection
from etl.doctor import CHECKS, Finding, Severity
from tests.conftest import READER, REPOSITORY, RUNNER, Connect, Etl, clear
from tests.integration import findings
from tests.integration.findings import found, is_found, mend
from tests.shapes import shaped
from tests.support import add_users
from tests.waiting import WAITS_FOR_LOCK, until_found

Examine = Callable[[], dict[str, Finding]]


@pytest.fixture
def examine(connection: Connection, tmp_path: Path) -> Examine:
    """What a checkup with low thresholds finds."""
    return lambda: findings.examine(connection, tmp_path)


OF_SERVER = ("server", "monitor", "checkpoints")
"""Checks whose findings depend on what other tests have done to the server."""


def told(etl: Etl, *arguments: str, **more: str) -> tuple[int, Any]:
    ran = etl("doctor", *arguments, "--json", **more)
    assert "Traceback" not in ran.err
    return ran.status, shaped("doctor", ran.out)


def found_by(check: str, etl: Etl, *arguments: str, **more: str) -> list[Any]:
    _, report = told(etl, *arguments, **more)
    return [f for f in report["findings"] if f["check"] == check]


def test_a_sound_database_has_no_finding(dsn: str, etl: Etl) -> None:
    status, report = told(etl)
    serious = [f for f in report["findings"] if f["severity"] != "note"]
    # The test server lives dangerously, for speed; that is found, and nothing else. Its checkpoints
    # are asked for by each database that a test makes.
    here = {f["what"] for f in serious if f["check"] != "checkpoints"}
    assert here <= {"fsync is off", "full_page_writes is off"}
    assert (status, report["is_reached"], report["problem"]) == (1 if serious else 0, True, None)
    checks = report["checks"]
    assert [c["check"] for c in checks] == ["jobs", "state", *CHECKS]
    assert all(c["is_checked"] for c in checks)
    assert sum(c["findings"] for c in checks) == len(report["findings"])


def test_every_check_is_listed_where_that_is_asked_for(dsn: str, etl: Etl) -> None:
    lines = etl("doctor", "datamart-users", "--verbose").out.splitlines()
    assert [line.split()[0] for line in lines[-len(CHECKS) - 4 : -2]] == ["jobs", "state", *CHECKS]
    assert lines[-1].startswith(f"{len(CHECKS) + 2} checks: ")


def test_an_empty_database_is_one_error(bare_dsn: str, etl: Etl) -> None:
    status, report = told(etl, ETL_DSN=bare_dsn)
    findings = [f for f in report["findings"] if f["check"] not in OF_SERVER]
    assert [(f["check"], f["command"]) for f in findings] == [("schema", "etl init")]
    assert status == 1
    unchecked = {c["check"] for c in report["checks"] if not c["is_checked"]}
    assert unchecked == {"dropped", "ledger", "leftovers"}


def test_who_holds_up_others_is_found(
    connection: Connection, connect_again: Connect, examine: Examine
) -> None:
    connection.execute("CREATE TABLE public.wanted (n integer)")
    connection.execute("GRANT ALL ON public.wanted TO PUBLIC")
    holder, waiter = connect_again(), connect_again()
    holder.execute("BEGIN")
    holder.execute("LOCK TABLE public.wanted")
    waiting = threading.Thread(target=lambda: waiter.execute("SELECT FROM public.wanted"))
    waiting.start()
    until_found(connection, WAITS_FOR_LOCK)
    pid = holder.info.backend_pid
    told = examine()
    assert found(told, "is idle in transaction").command == f"SELECT pg_terminate_backend({pid});"
    blocked = found(told, "holds up 1 session(s)")
    assert blocked.why.startswith("It is idle in transaction since")
    assert "LOCK TABLE public.wanted" in blocked.why
    mend(connection, blocked)
    waiting.join()
    with pytest.raises(psycopg.OperationalError):
        holder.execute("SELECT 1")
    assert not is_found(examine(), "holds up")


def test_an_invalid_index_is_found_and_built_again(
    connection: Connection, examine: Examine
) -> None:
    connection.execute(
        'CREATE TABLE public."Odd Name" AS SELECT 1 AS n FROM generate_series(1, 20)'
    )
    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute('CREATE UNIQUE INDEX CONCURRENTLY "Half Built" ON public."Odd Name" (n)')
    finding = found(examine(), '"Half Built" is invalid')
    assert finding.severity == Severity.ERROR
    connection.execute("SET default_transaction_read_only = off")
    connection.execute('TRUNCATE public."Odd Name"')
    mend(connection, finding)
    assert not is_found(examine(), "invalid")


def test_tables_that_autovacuum_has_not_seen_are_found(
    connection: Connection, examine: Examine
) -> None:
    connection.execute("CREATE TABLE public.fresh (n integer) WITH (autovacuum_enabled = off)")
    connection.execute("INSERT INTO public.fresh SELECT generate_series(1, 100)")
    connection.execute("SELECT pg_stat_force_next_flush()")
    told = examine()
    never = found(told, "fresh was never analyzed")
    mend(connection, never)
    connection.execute("UPDATE public.fresh SET n = n + 1")
    connection.execute("SELECT pg_stat_force_next_flush()")
    told = examine()
    assert not is_found(told, "never analyzed")
    mend(connection, found(told, "fresh have changed since it was analyzed"))
    mend(connection, found(told, "fresh has about 100 dead rows"))
    # Last: from then on autovacuum may come at any moment.
    mend(connection, found(examine(), "autovacuum leaves public.fresh out"))
    assert not is_found(examine(), "fresh")


def test_settings_that_end_sessions_are_found(
    connection: Connection, connect_again: Connect, tmp_path: Path
) -> None:
    name = connection.info.dbname
    connection.execute(f"ALTER DATABASE {name} SET statement_timeout = '5s'".encode())
    # The role's own counts, not that of the database.
    connection.execute(f"ALTER DATABASE {name} SET lock_timeout = '6s'".encode())
    connection.execute(f"ALTER ROLE {RUNNER} IN DATABASE {name} SET lock_timeout = '7s'".encode())
    told = findings.examine(connect_again(), tmp_path)
    of_database = f"statement_timeout is 5000ms for sessions of {RUNNER}: set for database {name}"
    mend(connection, found(told, of_database))
    of_role = f"lock_timeout is 7000ms for sessions of {RUNNER}: set for role {RUNNER} in database"
    mend(connection, found(told, of_role))
    mend(connection, found(findings.examine(connect_again(), tmp_path), "lock_timeout is 6000ms"))
    assert not is_found(findings.examine(connect_again(), tmp_path), "_timeout")


def test_what_waits_in_the_ledger_is_found(connection: Connection, examine: Examine) -> None:
    connection.execute(
        "INSERT INTO etl.held_item (job, item_key, attempts, held_until, quarantined_at,"
        " last_cycle_id, last_outcome) VALUES ('datamart_users', '1', 5, now(), now(), 1, 'failed')"
    )
    connection.execute(
        "INSERT INTO etl.cycle (job, started_at, host, pid, etl_version, as_of, max_items, workers)"
        " VALUES ('datamart_users', now(), 'gone', 1, '0', now(), 5, 1)"
    )
    connection.execute("INSERT INTO etl.control (job, paused_until) VALUES ('a_job', 'infinity')")
    told = examine()
    held = found(told, "datamart_users: 1 quarantined")
    assert held.command == "etl held list datamart-users --quarantined"
    assert found(told, "cycle 1 was cut off").severity == Severity.NOTE
    assert found(told, "a_job: paused by").command == "etl resume a-job"


def test_a_check_that_fails_is_told_and_the_others_go_on(
    connection: Connection, examine: Examine
) -> None:
    connection.execute("ALTER TABLE etl.control RENAME TO hidden")
    connection.execute("CREATE TABLE public.lonely AS SELECT generate_series(1, 100)")
    connection.execute("SELECT pg_stat_force_next_flush()")
    told = examine()
    assert found(told, "not checked: ").severity == Severity.NOTE
    assert found(told, "lonely was never analyzed")


def test_nothing_is_written_and_no_lock_waited_for(
    connection: Connection, connect_again: Connect, tmp_path: Path
) -> None:
    connection.execute("BEGIN")
    connection.execute("LOCK TABLE etl.held_item")
    looking = connect_again()
    told = findings.examine(looking, tmp_path)
    connection.execute("ROLLBACK")
    assert any("not checked" in what and "lock timeout" in what for what in told)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        looking.execute("DELETE FROM etl.held_item")


def test_a_schema_that_is_not_current_is_an_error(connection: Connection, etl: Etl) -> None:
    connection.execute("DELETE FROM etl.applied_file WHERE name = 'procedures/views.sql'")
    (finding,) = found_by("schema", etl)
    assert finding["what"] == "etl: 1 SQL file is pending, first procedures/views.sql"
    assert "etl init" in finding["command"]


def test_a_job_of_another_database_is_a_note_unless_it_is_asked_for(etl: Etl) -> None:
    more = {"ETL_JOBS_DIR": str(REPOSITORY / "tests" / "bench" / "jobs")}
    for arguments, severity in (([], "note"), (["costly"], "error")):
        schema = found_by("schema", etl, *arguments, **more)
        said = "costly: 2 SQL files are pending, first schema/0001_items.sql"
        assert said in [f["what"] for f in schema]
        assert {f["severity"] for f in schema} == {severity}


def test_a_reader_is_told_what_it_may_not(etl: Etl, dsn: str) -> None:
    rights = found_by("rights", etl, ETL_DSN=f"{dsn} user={READER}")
    assert {(f["severity"], f["command"]) for f in rights} == {
        ("note", f"GRANT etl_runner TO {READER};")
    }


def test_a_queue_that_a_crash_left_is_found_until_the_next_cycle(
    connection: Connection, etl: Etl, environment: dict[str, str]
) -> None:
    add_users(connection, "ana")
    assert etl("datamart-users").status == 0
    (queue,) = Path(environment["ETL_STATE_DIR"]).glob("cycles/*/datamart_users/cycle-1")
    assert not found_by("leftovers", etl)
    connection.execute("UPDATE etl.cycle SET finished_at = NULL, stop_reason = NULL")
    (finding,) = found_by("leftovers", etl)
    assert str(queue) in finding["what"]
    assert queue.exists()
    shutil.rmtree(queue)


def test_a_broken_job_and_an_open_state_folder_are_found_without_a_database(
    etl: Etl, environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "jobs" / "broken").mkdir(parents=True)
    state = Path(environment["ETL_STATE_DIR"])
    state.mkdir()
    state.chmod(0o777)
    (state / "cycles" / "7-1" / "a_job" / "cycle-3").mkdir(parents=True)
    nowhere = {"ETL_DSN": "host=127.0.0.1 port=1", "ETL_JOBS_DIR": str(tmp_path / "jobs")}
    status, report = told(etl, **nowhere)
    assert (status, report["is_reached"]) == (69, False)
    assert {f["check"] for f in report["findings"]} == {"jobs", "state", "leftovers"}
    assert "cannot reach the database" in report["problem"]
    ran = etl("doctor", "broken", **nowhere)
    assert "error (jobs): " in ran.out
    assert "cannot reach the database" in ran.err


def test_an_unknown_job_is_one_clear_error(dsn: str, etl: Etl) -> None:
    ran = etl("doctor", "nothing")
    assert clear(ran, 2, "there is no job nothing")
    assert ran.out == ""
