"""Signals and readers that go away: the items in hand are finished, or given back."""

import fcntl
import os
import signal
import socket
import termios
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pytest

from etl.db import Connection
from tests.conftest import Connect, Etl
from tests.faults.conftest import AS_OF, USERS, Run, Start, under_nohup, wait_until_at_gate
from tests.gates import open_gate
from tests.support import dirty
from tests.waiting import until, until_found


def wait_until_heard(run: Run) -> None:
    """Wait until the workers have read what the supervisor has told them."""
    for worker in run.workers():
        told = Path(f"/proc/{worker}/fd/0")
        if told.exists():  # no /proc: trust that it is quick
            with told.open("rb") as pipe:
                until(partial(is_empty, pipe))


def is_empty(pipe: BinaryIO) -> bool:
    """Whether all that was written to it has been read."""
    return not any(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))


@pytest.mark.parametrize(
    ("send", "number"),
    [
        (os.kill, signal.SIGTERM),
        (os.kill, signal.SIGINT),
        (os.kill, signal.SIGHUP),
        (os.killpg, signal.SIGINT),
    ],
    ids=["SIGTERM", "SIGINT", "SIGHUP", "Ctrl-C, to the whole group"],
)
def test_a_signal_finishes_the_item_in_hand_and_leaves_the_rest(
    run: Run,
    gate: Connection,
    connection: Connection,
    send: Callable[[int, int], None],
    number: signal.Signals,
) -> None:
    send(run.process.pid, number)
    run.wait_for("finishing the users in hand")
    wait_until_heard(run)
    open_gate(gate)
    record = run.ended(128 + number, stop_reason="stopped", orphaned=0).record
    # Two were done before the gate; while the word to drain sinks in, one more may be.
    done = record["done"]
    assert done in (3, 4)
    assert record["remaining"] == len(USERS) - done
    assert dirty(connection) == set(USERS[done:])


@pytest.mark.usefixtures("each_queue")
def test_a_second_signal_cancels_the_item_in_hand_without_an_attempt(
    run: Run, connection: Connection
) -> None:
    os.kill(run.process.pid, signal.SIGTERM)
    run.wait_for("finishing the users in hand")
    os.kill(run.process.pid, signal.SIGTERM)
    run.ended(128 + signal.SIGTERM, "cancelling the users in hand", done=2, failed=0, remaining=4)
    assert dirty(connection) == set(USERS[2:])
    assert connection.execute("SELECT FROM etl.held_item").rowcount == 0


@pytest.mark.usefixtures("each_queue")
def test_five_signals_are_two(start: Start, gate: Connection, connection: Connection) -> None:
    run = start("--workers=2")
    wait_until_at_gate(gate)
    os.kill(run.process.pid, signal.SIGTERM)
    run.wait_for("finishing the users in hand")
    for _ in range(4):
        os.kill(run.process.pid, signal.SIGTERM)
    run.ended(128 + signal.SIGTERM, failed=0, orphaned=0, stop_reason="stopped")
    assert "user2" in dirty(connection)
    assert connection.execute("SELECT FROM etl.held_item").rowcount == 0


def test_under_nohup_a_hangup_is_nothing(start: Start, gate: Connection) -> None:
    run = start("--workers=1", prepare=under_nohup)
    wait_until_at_gate(gate)
    os.kill(run.process.pid, signal.SIGHUP)
    for worker in run.workers():
        os.kill(worker, signal.SIGHUP)
    open_gate(gate)
    run.ended(0, done=6)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_while_the_server_does_not_answer_ends_the_command(
    start: Start, number: signal.Signals
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        run = start(ETL_DSN=f"host=127.0.0.1 port={port} user=etl dbname=etl")
        client, _ = server.accept()
        os.kill(run.process.pid, number)
        assert run.ended(128 + number).err == ""
        client.close()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="follows the loading in /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_the_program_loads_ends_it_without_a_word(
    start: Start, number: signal.Signals
) -> None:
    run = start()
    maps = Path(f"/proc/{run.process.pid}/maps")
    while b"psycopg_binary" not in maps.read_bytes():  # about half way
        assert run.process.poll() is None
    os.kill(run.process.pid, number)
    status, _, err = run.end()
    assert status in (-number, 128 + number)
    assert err == ""


@pytest.fixture
def closing(start: Start, gate: Connection, connection: Connection, connect_again: Connect) -> Run:
    """A cycle that has done all and waits to close its record, until a ROLLBACK lets it."""
    connection.execute("BEGIN; LOCK TABLE etl.attempt IN EXCLUSIVE MODE")  # it can be read
    observer = connect_again()
    run = start("--workers=1")
    wait_until_at_gate(gate)
    open_gate(gate)
    waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE $1"
    until_found(observer, waiting, ["%etl.attempt%"], running=run.process)
    return run


def test_a_signal_while_the_record_is_closed_does_not_break_it(
    closing: Run, connection: Connection
) -> None:
    os.kill(closing.process.pid, signal.SIGTERM)
    connection.execute("ROLLBACK")
    closing.ended(0, done=6)
    closed = connection.execute("SELECT done, stop_reason FROM etl.cycle").fetchall()
    assert closed == [(6, "drained")]


def test_two_signals_leave_a_record_that_cannot_be_closed_to_the_next_cycle(
    closing: Run, connection: Connection, etl: Etl
) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):  # two of one kind may come as one
        os.kill(closing.process.pid, number)
    ran = closing.end()
    connection.execute("ROLLBACK")
    assert ran.status in (128 + signal.SIGTERM, 128 + signal.SIGINT), ran.err
    assert "the next cycle closes the record of this one" in ran.err
    assert etl("datamart-users", AS_OF).status == 0
    closed = connection.execute("SELECT done, stop_reason FROM etl.cycle ORDER BY cycle_id")
    assert closed.fetchall() == [(6, "crashed"), (0, "drained")]


def test_one_signal_ends_a_listing_that_waits_for_a_locked_table_and_closes_its_record(
    start: Start, gate: Connection, connection: Connection
) -> None:
    connection.execute("BEGIN")
    connection.execute("LOCK TABLE dwh.dimension_users")
    waiting = start("--workers=1")
    until_found(
        gate,
        "SELECT FROM pg_locks WHERE NOT granted AND relation = 'dwh.dimension_users'::regclass",
        running=waiting.process,
    )
    os.kill(waiting.process.pid, signal.SIGTERM)
    waiting.ended(128 + signal.SIGTERM, done=0, stop_reason="stopped")
    connection.execute("ROLLBACK")
    closed = connection.execute("SELECT stop_reason, finished_at IS NULL FROM etl.cycle")
    assert closed.fetchall() == [("stopped", False)]


def test_a_cycle_whose_workers_somebody_ends_is_incomplete_and_not_all_right(
    run: Run, gate: Connection
) -> None:
    for worker in run.workers():
        os.kill(worker, signal.SIGTERM)
    open_gate(gate)
    run.ended(1, stop_reason="incomplete", failed=0, orphaned=0)


def test_a_reader_that_goes_away_does_not_end_the_cycle(
    run: Run, gate: Connection, connection: Connection
) -> None:
    assert run.process.stderr is not None
    assert run.process.stdout is not None
    run.process.stderr.close()
    run.process.stdout.close()
    open_gate(gate)
    assert run.process.wait() == 0
    assert dirty(connection) == set()
