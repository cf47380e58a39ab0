"""`etl verify --sample, --all, --item`: each item recomputed, and nothing of it kept."""

import threading
from typing import Any

import pytest

from etl.db import Connection
from tests.conftest import READER, Connect, Etl
from tests.gates import open_gate, put_gate, shut_gate
from tests.shapes import shaped
from tests.support import DAY, add_facts, add_users, closed, dirty, opened, refresh_all, user_ids
from tests.tally import Tally
from tests.waiting import WAITS_AT_GATE, until_found

AS_OF = f"--as-of={DAY}"
ROWS = "SELECT CAST(d AS text) FROM dwh.datamart_users AS d ORDER BY 1"


@pytest.fixture
def clean(connection: Connection) -> Connection:
    """Twenty clean users with facts and a dirty one."""
    add_users(connection, *(f"user{number}" for number in range(20)))
    facts = [opened(n, f"2025-12-{1 + n % 28:02} 10:00", f"user{n % 20}") for n in range(1, 80)]
    facts += [closed(n, "2026-01-14 11:00", f"user{n % 7}", f"user{n % 20}") for n in range(1, 40)]
    add_facts(connection, facts)
    refresh_all(connection)
    add_users(connection, "dirty")
    return connection


def verify(etl: Etl, *arguments: str, status: int = 0) -> Any:
    ran = etl("verify", "datamart-users", AS_OF, "--json", *arguments)
    assert ran.status == status, ran.err
    return shaped("verify", ran.out)


def test_what_is_right_is_found_right_and_left_as_it_was(clean: Connection, etl: Etl) -> None:
    before = clean.execute(ROWS.encode()).fetchall()
    told = verify(etl, "--all")
    assert (told["how"], told["checked"], told["population"], told["wrong"]) == ("all", 20, 20, 0)
    assert clean.execute(ROWS.encode()).fetchall() == before
    assert dirty(clean) == {"dirty"}


def test_wrong_ones_are_told_by_column_and_fixed_by_the_next_cycle(
    clean: Connection, etl: Etl
) -> None:
    users = user_ids(clean)
    clean.execute(
        "UPDATE dwh.datamart_users SET closed_total = closed_total + 1, heat_map[7] = 99"
        " WHERE dimension_user_id = $1",
        [users["user1"]],
    )
    clean.execute("DELETE FROM dwh.datamart_users WHERE dimension_user_id = $1", [users["user2"]])
    clean.execute("ALTER TABLE dwh.facts DISABLE TRIGGER USER")
    add_facts(clean, [opened(900, "2026-01-15 10:00", "user3")])
    clean.execute("ALTER TABLE dwh.facts ENABLE TRIGGER USER")
    told = verify(etl, "--all", "--fix", status=1)
    wrong = {item["item_key"]: item for item in told["items"]}
    assert set(wrong) == {str(users[name]) for name in ("user1", "user2", "user3")}
    columns = {d["column"]: d for d in wrong[str(users["user1"])]["differences"]}
    assert set(columns) == {"closed_total", "heat_map"}
    assert columns["heat_map"]["stored"] == "99 at place 7"
    assert wrong[str(users["user2"])]["problem"] == "has no result"
    assert "opened_total" in {d["column"] for d in wrong[str(users["user3"])]["differences"]}
    assert told["marked"] == 3
    assert dirty(clean) == {"dirty", "user1", "user2", "user3"}
    assert etl("datamart-users", AS_OF).status == 0
    assert verify(etl, "--all")["wrong"] == 0


def test_the_job_s_own_query_finds_them_and_fix_marks_them(clean: Connection, etl: Etl) -> None:
    clean.execute("UPDATE dwh.datamart_users SET closed_total = 77")
    told = verify(etl, "--fix", status=1)
    assert (told["how"], told["wrong"], told["marked"]) == ("verify.sql", 20, 20)
    assert len(dirty(clean)) == 21


def test_a_sample_is_drawn_by_lot_and_bounds_the_drift(clean: Connection, etl: Etl) -> None:
    clean.execute("UPDATE dwh.datamart_users SET closed_total = 77 WHERE dimension_user_id <= 10")
    lots: set[tuple[str, ...]] = set()
    for seed in (1, 2, 3):
        told = verify(etl, "--sample=8", f"--seed={seed}", status=1)
        again = verify(etl, "--sample=8", f"--seed={seed}", status=1)
        assert told == again
        assert (told["checked"], told["population"], told["seed"]) == (8, 20, seed)
        assert told["drift_rate"] == told["wrong"] / 8 < told["drift_rate_at_most"] <= 1
        lots.add(tuple(item["item_key"] for item in told["items"]))
    assert len(lots) > 1
    said = etl("verify", "datamart-users", AS_OF, "--sample=8", "--seed=1").out
    assert "with 95 % confidence at most" in said
    assert "of the 20 clean users are wrong (--seed 1)" in said
    assert verify(etl, "--seed=1", status=1)["checked"] == 20  # of the 400 that are the default


def test_one_user_is_asked_for_by_name(clean: Connection, etl: Etl) -> None:
    users = user_ids(clean)
    clean.execute("UPDATE dwh.datamart_users SET active_days = 0")
    told = verify(etl, f"--user={users['user5']}", status=1)
    assert [item["item_key"] for item in told["items"]] == [str(users["user5"])]
    for key in (str(users["dirty"]), "4711", "nobody", ""):
        ran = etl("verify", "datamart-users", AS_OF, f"--item={key}")
        assert (ran.status, f"there is no clean user {key}" in ran.err) == (2, True)


def test_an_item_that_somebody_has_is_skipped(
    clean: Connection, etl: Etl, connect_again: Connect
) -> None:
    key = user_ids(clean)["user4"]
    holder = connect_again()
    holder.execute("BEGIN")
    holder.execute("CALL dwh.update_datamart_user($1, $2)", [key, DAY])
    told = verify(etl, "--all")
    assert (told["checked"], told["skipped"]) == (19, 1)


def test_a_change_that_comes_meanwhile_is_no_drift(clean: Connection, etl: Etl) -> None:
    """What is stored differs, but a load commits while it is recomputed: it is dirty by then."""
    clean.execute("UPDATE dwh.datamart_users SET active_days = 77")
    put_gate(clean, "dwh.datamart_users")
    shut_gate(clean)
    told: dict[str, Any] = {}
    running = threading.Thread(target=lambda: told.update(verify(etl, "--all")))
    running.start()
    until_found(clean, WAITS_AT_GATE)
    clean.execute("UPDATE dwh.dimension_users SET modified = TRUE")
    open_gate(clean)
    running.join()
    assert (told["wrong"], told["skipped"]) == (0, 20)


@pytest.mark.parametrize("which", ["--all", "--sample=1", "--item"])
def test_who_may_not_recompute_is_told_so_and_calls_nothing_wrong(
    clean: Connection, etl: Etl, dsn: str, which: str
) -> None:
    named = f"--item={user_ids(clean)['user5']}" if which == "--item" else which
    ran = etl("verify", "datamart-users", AS_OF, named, "--fix", ETL_DSN=f"{dsn} user={READER}")
    assert (ran.status, ran.out) == (2, "")
    assert "cannot be recomputed: permission denied for procedure" in ran.err
    assert dirty(clean) == {"dirty"}


def test_one_item_that_fails_as_others_would_not_is_wrong_by_itself(
    clean: Connection, etl: Etl
) -> None:
    clean.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF NEW.dimension_user_id IN (SELECT u.dimension_user_id FROM dwh.dimension_users AS u"
        " WHERE u.username IN ('user3', 'user8')) THEN"
        " PERFORM nowhere.at_all(); END IF; RETURN NEW; END $$"
    )
    clean.execute(
        "CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON dwh.datamart_users"
        " FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    told = verify(etl, "--all", status=1)
    assert (told["checked"], told["wrong"]) == (20, 2)
    assert all("cannot be recomputed" in item["problem"] for item in told["items"])


def test_a_job_without_the_files_is_told_which_it_needs(tally: Tally, etl: Etl) -> None:
    jobs = {"ETL_JOBS_DIR": str(tally.folder.parent)}
    ran = etl("verify", "tally", **jobs)
    assert (ran.status, "it has no clean.sql" in ran.err) == (2, True)
    tally.write("clean.sql", "SELECT key AS item_key FROM thing")
    assert "must return item_key and population" in etl("verify", "tally", **jobs).err
    tally.write(
        "clean.sql",
        "SELECT key AS item_key, count(*) OVER () AS population, tags FROM thing WHERE NOT dirty"
        " AND :'item_key' IN ('', key)",
    )
    tally.add("a", "b")
    assert tally.run().status == 0
    assert "it has no result.sql" in etl("verify", "tally", **jobs).err
    tally.write("result.sql", "SELECT seen FROM thing WHERE key = :'item_key'")
    assert "all right of 2 things recomputed" in etl("verify", "tally", **jobs).out
    tally.connection.execute("UPDATE thing SET seen = NULL WHERE key = 'b'")
    ran = etl("verify", "tally", "--fix", **jobs)
    assert (ran.status, "it has no mark.sql" in ran.err) == (2, True)
    ran = etl("verify", "tally", **jobs)
    assert ran.status == 1
    assert ran.out.startswith("thing b differs in seen is null, should be ['a', 'b c']")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--sample=3", "--all"], "--sample, --all and --item exclude each other"),
        (["--seed=3", "--all"], "--seed draws a sample"),
        (["--sample=0"], "0 is not in the range"),
        (["--seed=x"], "not a valid int"),
    ],
)
def test_what_makes_no_sense_is_one_clear_error(
    dsn: str, etl: Etl, arguments: list[str], problem: str
) -> None:
    ran = etl("verify", "datamart-users", *arguments)
    assert (ran.status, problem in ran.err) == (2, True), ran.err


def test_the_json_of_the_query_has_the_documented_shape(clean: Connection, etl: Etl) -> None:
    assert verify(etl)["items"] == []
