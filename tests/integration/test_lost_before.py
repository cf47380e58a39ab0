"""A connection that is lost with an item claimed and nothing of it begun."""

import pytest

from tests.integration.squares import CUT, Squares, counts


@pytest.mark.parametrize("queue", ["file", "postgres"])
def test_a_connection_lost_while_a_range_is_cut_costs_no_attempt(
    squares: Squares, keys: list[int], queue: str
) -> None:
    squares.add(keys)
    squares.connection.execute("CREATE SEQUENCE cuts")
    squares.connection.execute("GRANT USAGE ON SEQUENCE cuts TO etl_runner")
    once = (
        "CASE WHEN nextval('cuts') = 2 THEN pg_terminate_backend(pg_backend_pid()) END IS NOT TRUE"
    )
    squares.write(
        "cut.sql", CUT.replace("ORDER BY id LIMIT", f"AND (SELECT {once})\n    ORDER BY id LIMIT")
    )
    ran = squares.run("--workers=1", f"--queue={queue}")
    assert counts(ran) == (len(keys), len(keys), 0, 0), ran.err
    assert set(squares.times().values()) == {1}
    assert squares.connection.execute("SELECT last_value > 2 FROM cuts").fetchone() == (True,)
