"""What is tried again at once: a serialization failure and a deadlock, three times."""

import pytest

from etl.db import Connection
from tests.conftest import Connect
from tests.faults.conftest import Start
from tests.tally import Tally
from tests.waiting import WAITS_FOR_LOCK, until_found


def fail_at_first(tally: Tally, times: int, state: str) -> None:
    """Make the statement fail that often; a sequence counts, whatever is rolled back."""
    tally.connection.execute("CREATE SEQUENCE tries")
    tally.connection.execute("GRANT USAGE ON SEQUENCE tries TO etl_runner")
    tally.work(
        f"IF nextval('tries') <= {times} THEN RAISE EXCEPTION 'once more'"
        f" USING ERRCODE = '{state}'; END IF;"
    )
    tally.add("a")


def tries(tally: Tally) -> int:
    return int(tally.connection.execute("SELECT last_value FROM tries").fetchall()[0][0])


@pytest.mark.parametrize("state", ["40001", "40P01"])
def test_it_succeeds_at_the_fourth_try_and_was_one_attempt(tally: Tally, state: str) -> None:
    fail_at_first(tally, 3, state)
    tally.run().ended(0, done=1)
    assert tries(tally) == 4
    assert tally.connection.execute("SELECT FROM etl.attempt").rowcount == 1


@pytest.mark.parametrize("state", ["40001", "40P01"])
def test_after_four_tries_it_has_failed_once(tally: Tally, state: str) -> None:
    fail_at_first(tally, 99, state)
    tally.run().ended(1, f"once more [{state}]", failed=1)
    assert tries(tally) == 4
    assert tally.connection.execute("SELECT attempts FROM etl.held_item").fetchall() == [(1,)]


def test_no_other_failure_is_tried_again_at_once(tally: Tally) -> None:
    fail_at_first(tally, 99, "22012")
    assert tally.run().status == 1
    assert tries(tally) == 1


def test_a_real_deadlock_with_a_loader_is_no_failure(
    tally: Tally, start: Start, connect_again: Connect, connection: Connection
) -> None:
    tally.add("a", "z")
    tally.connection.execute("UPDATE thing SET dirty = FALSE WHERE key = 'z'")
    tally.work(
        "UPDATE thing SET dirty = FALSE WHERE key = name;"
        " UPDATE thing SET level = 2 WHERE key = 'z';"
    )
    toml = 'title = "T"\nunit = "thing"\n[defaults]\nlock_timeout = "1h"'
    tally.write("job.toml", toml)
    # The worker is the one who notices, once, so long after it has begun to wait.
    name = connection.info.dbname
    connection.execute(f"ALTER DATABASE \"{name}\" SET deadlock_timeout = '3s'".encode())
    connection.execute("SET deadlock_timeout = '1h'")
    with connection.transaction():
        connection.execute("UPDATE thing SET level = 3 WHERE key = 'z'")
        run = start("--workers=1", job="tally", ETL_JOBS_DIR=str(tally.folder.parent))
        until_found(connect_again(), WAITS_FOR_LOCK, running=run.process)
        connection.execute("UPDATE thing SET level = 3 WHERE key = 'a'")
    run.ended(0, done=1)
