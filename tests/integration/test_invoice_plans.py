"""What the queries of fix_invoices read: the keys that are left, in their index alone."""

from datetime import UTC, datetime

import pytest

from etl import db
from etl.db import Connection
from etl.job.shape import FIRST, LAST
from tests.integration.test_fix_invoices import file
from tests.support import nodes

SCALE, MOST = 40_000, 1_000
_DONE = """
INSERT INTO etl.done_range (round_id, kind, first_key, last_key, keys, cycle_id)
SELECT 7, kind, min(invoice_id), max(invoice_id), count(*), 1 FROM (
    SELECT CASE WHEN is_service_fee THEN 'fee' ELSE 'regular' END AS kind, invoice_id,
        row_number() OVER (PARTITION BY is_service_fee ORDER BY invoice_id) / 100 AS batch
    FROM billing.invoices ORDER BY invoice_id LIMIT $1
) AS i GROUP BY kind, batch
"""


@pytest.fixture(scope="module", params=["force_custom_plan", "force_generic_plan"])
def cache_mode(request: pytest.FixtureRequest) -> str:
    """A worker's statements are prepared: from the sixth on the plan may be for any values."""
    return str(request.param)


@pytest.fixture
def invoices(connection: Connection, cache_mode: str) -> Connection:
    """Invoices with gaps, a twentieth of them service fees, after a vacuum."""
    db.run(connection, file("sample.sql"), scale=SCALE)
    connection.execute("VACUUM ANALYZE billing.invoices")
    connection.execute(f"SET plan_cache_mode = {cache_mode}".encode())
    return connection


def read(connection: Connection, name: str, **values: object) -> int:
    """Rows that a file of the job reads of the invoices, in their index alone."""
    statement = file(name)
    text = b"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + statement.text
    cursor = connection.execute(text, statement.bind(values), prepare=True)
    ((plan,),) = cursor.fetchall()
    found = 0
    for node in nodes(plan[0]["Plan"]):
        if node.get("Relation Name") == "invoices" and node["Actual Loops"]:
            assert node["Node Type"] == "Index Only Scan", node
            assert node["Index Name"] == "invoices_by_pass", node
            assert node["Heap Fetches"] == 0, node
            assert node.get("Rows Removed by Filter", 0) == 0, node
            found += round(node["Actual Rows"] * node["Actual Loops"])
    assert plan[0]["Plan"]["Temp Written Blocks"] == 0
    return found


def window(first: int = FIRST, last: int = LAST) -> dict[str, object]:
    """The parameters of a listing."""
    bounds = {"from_key": first, "to_key": last, "most": MOST}
    return {**bounds, "round": 7, "now": datetime.now(UTC)}


def counted(connection: Connection, where: str = "TRUE") -> int:
    cursor = connection.execute(f"SELECT count(*) FROM billing.invoices WHERE {where}".encode())
    return int(cursor.fetchall()[0][0])


def assert_proportional(found: int, keys: int) -> None:
    """Each key once; the last range of each kind, which may be shorter, once more to count it."""
    assert keys * 0.98 <= found <= keys * 1.02 + 2 * MOST  # the rows of a loop are rounded


def test_a_listing_reads_each_key_in_the_index_alone(invoices: Connection) -> None:
    assert_proportional(read(invoices, "prioritize.sql", **window()), counted(invoices))
    assert read(invoices, "backlog.sql", **window()) == counted(invoices)


def test_a_listing_reads_what_is_left_and_not_what_is_done(invoices: Connection) -> None:
    invoices.execute(_DONE, [SCALE * 9 // 10])
    ((reached, done),) = invoices.execute(
        "SELECT max(last_key), sum(keys)::bigint FROM etl.done_range"
    ).fetchall()
    assert done == SCALE * 9 // 10
    left = counted(invoices, f"invoice_id > {reached}")
    for name in ("prioritize.sql", "backlog.sql"):
        assert_proportional(read(invoices, name, **window()), left)


def test_a_window_reads_its_own_keys(invoices: Connection) -> None:
    inside = counted(invoices, "invoice_id BETWEEN 4000 AND 40000")
    assert_proportional(read(invoices, "prioritize.sql", **window(4000, 40000)), inside)


@pytest.mark.parametrize("kind", ["fee", "regular"])
def test_a_cut_reads_as_many_keys_as_the_batch_has(invoices: Connection, kind: str) -> None:
    values = {"kind": kind, "first_key": 1, "last_key": LAST, "size": 100}
    assert read(invoices, "cut.sql", **values) == 100
