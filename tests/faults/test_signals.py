"""Signals and readers that go away: the items in hand are finished, or given back."""

import json
import os
import signal

import pytest

from etl.db import Connection
from tests.faults.conftest import USERS, Start, open_gate, wait_until_at_gate
from tests.support import dirty


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_finishes_the_item_in_hand_and_leaves_the_rest(
    start: Start, gate: Connection, connection: Connection, number: signal.Signals
) -> None:
    run = start("--workers=1")
    wait_until_at_gate(gate)
    os.kill(run.process.pid, number)
    run.wait_for("finishing the users in hand")
    open_gate(gate)
    status, out, _ = run.end()
    record = json.loads(out)
    assert status == 128 + number
    assert (record["done"], record["remaining"], record["stop_reason"]) == (3, 3, "stopped")
    assert dirty(connection) == set(USERS[3:])


def test_a_second_signal_cancels_the_item_in_hand_without_an_attempt(
    start: Start, gate: Connection, connection: Connection
) -> None:
    run = start("--workers=1")
    wait_until_at_gate(gate)
    os.kill(run.process.pid, signal.SIGTERM)
    run.wait_for("finishing the users in hand")
    os.kill(run.process.pid, signal.SIGTERM)
    status, out, err = run.end()
    record = json.loads(out)
    assert status == 128 + signal.SIGTERM
    assert "cancelling the users in hand" in err
    assert (record["done"], record["failed"], record["remaining"]) == (2, 0, 4)
    assert dirty(connection) == set(USERS[2:])
    assert connection.execute("SELECT FROM etl.held_item").rowcount == 0


def test_a_reader_that_goes_away_does_not_end_the_cycle(
    start: Start, gate: Connection, connection: Connection
) -> None:
    run = start("--workers=1")
    wait_until_at_gate(gate)
    assert run.process.stderr is not None
    assert run.process.stdout is not None
    run.process.stderr.close()
    run.process.stdout.close()
    open_gate(gate)
    assert run.process.wait() == 0
    assert dirty(connection) == set()
