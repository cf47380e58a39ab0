"""The network between worker and server is cut, freezes, or swallows everything."""

import pytest

from etl.db import Connection
from tests.faults.conftest import Start, wait_until_at_gate, wait_until_disconnected
from tests.faults.outages.conftest import Cycles
from tests.faults.proxy import Proxy
from tests.gates import open_gate
from tests.support import dirty
from tests.waiting import until


@pytest.mark.parametrize("is_reset", [True, False], ids=["RST", "FIN"])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_cut_connection_costs_the_item_in_hand_an_attempt_and_the_cycle_goes_on(
    start_by_proxy: Start,
    gate: Connection,
    proxy: Proxy,
    cycles: Cycles,
    is_reset: bool,
    workers: int,
) -> None:
    run = start_by_proxy(f"--workers={workers}")
    wait_until_at_gate(gate)
    until(lambda: workers == 1 or dirty(gate) == {"user2"}, run.process)
    assert proxy.cut(is_reset=is_reset) >= 2  # that of the supervisor, and of a worker
    run.ended(1, done=5, failed=1, orphaned=0)
    assert cycles.held() == [("user2", 1, "08006", False)]
    assert dirty(gate) == {"user2"}
    open_gate(gate)  # the server goes on with the statement whose client is gone, to its end
    wait_until_disconnected(gate)
    cycles.assert_the_next_needs_no_clean_up()


def test_a_network_that_comes_back_is_waited_for(
    start_by_proxy: Start, gate: Connection, proxy: Proxy, cycles: Cycles
) -> None:
    run = start_by_proxy("--workers=1")
    wait_until_at_gate(gate)
    proxy.drop()
    proxy.cut()
    tried = proxy.accepted
    # Worker and supervisor have come in vain.
    until(lambda: proxy.accepted >= tried + 4, run.process)
    open_gate(gate)
    proxy.accept()
    ran = run.end()
    assert ran.status in (0, 1), ran.err
    assert ran.record["done"] >= 5
    assert ran.record["done"] + ran.record["failed"] == 6
    cycles.assert_the_next_needs_no_clean_up()


def test_a_network_that_stops_for_a_while_is_nothing(
    start_by_proxy: Start, gate: Connection, proxy: Proxy, cycles: Cycles
) -> None:
    run = start_by_proxy("--workers=1")
    wait_until_at_gate(gate)
    proxy.freeze()
    open_gate(gate)
    until(lambda: "user2" not in dirty(gate), run.process)
    proxy.thaw()
    run.ended(0, done=6)
    assert cycles.held() == []
    cycles.assert_the_next_needs_no_clean_up()
