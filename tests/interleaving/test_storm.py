"""Thousands of refreshes by several workers against several loaders, in an order of chance."""

import os

from tests.conftest import Address
from tests.interleaving.storm import Plan, Storm

REFRESHES = int(os.environ.get("ETL_TEST_REFRESHES", "3000"))
SEED = int(os.environ.get("ETL_TEST_SEED", "20260116"))


def test_no_update_is_lost_and_no_two_refreshes_overlap_in_a_storm(
    dsn: str, server_address: Address
) -> None:
    plan = Plan(SEED, REFRESHES)
    storm = Storm(f"{dsn} user={server_address.user}", plan)  # it switches triggers off
    try:
        report = storm.run()
    finally:
        storm.close()
    told = f"{plan}: {report}"
    assert report.wrong == {}, told
    assert report.lost == [], told
    assert report.overlaps == 0, told
    assert sum(report.workers.values()) == REFRESHES, told
    assert report.workers["done"] >= report.cleared + report.kept, told
    # Else it was no storm: nothing would have been tried.
    assert min(report.cleared, report.kept, report.rows_compared) > 0, told
    assert min(report.workers.values()) > 0, told
    assert len(report.workers) == 3, told
    assert min(report.loaders["committed"], report.loaders["rolled back"]) > 0, told
