"""Cancellations that meet a worker between two items: they cost no item anything, nor the cycle."""

import pytest

from etl.db import Connection
from tests.faults.conftest import Start
from tests.support import add_users

_USERS = [f"user{number}" for number in range(200)]
# With a breath in between, or nobody would ever get a connection.
_CANCEL = """
SELECT count(pg_cancel_backend(pid)), pg_sleep(0.01) FROM pg_stat_activity
WHERE application_name LIKE 'etl:datamart-users w%' AND datname = current_database()
"""


@pytest.mark.parametrize("queue", ["file", "postgres"])
def test_a_storm_of_cancellations_fails_items_and_never_the_cycle(
    start: Start, connection: Connection, queue: str
) -> None:
    add_users(connection, *_USERS)
    run = start("--workers=2", f"--queue={queue}")
    while run.process.poll() is None:
        connection.execute(_CANCEL)
    ran = run.ended(1)
    assert ran.record["done"] + ran.record["failed"] == ran.record["found"] == len(_USERS), ran.err
    states = connection.execute("SELECT DISTINCT last_sqlstate FROM etl.held_item").fetchall()
    assert states == [("57014",)]
