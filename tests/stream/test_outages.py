"""What a service does while something is away that it needs: a queue, a right, the database."""

import os
import signal

import psycopg

from etl.db import Connection
from tests.conftest import RUNNER, Address, runner
from tests.faults.servers import OwnServer
from tests.stream.broker import OwnBroker
from tests.stream.conftest import GATE, QUEUE, Start
from tests.stream.test_service import DEAD, seen
from tests.waiting import WAITS_AT_GATE, until, until_found


def test_queues_that_are_deleted_are_made_again_and_the_counts_add_up(
    start: Start, broker: OwnBroker, connection: Connection
) -> None:
    service = start("letters", "--workers=1").ready()
    with broker.connect() as administrator:
        administrator.channel().queue_delete(DEAD)
    # It is published to nowhere, comes again by the next connection, and is a dead letter then.
    broker.publish(QUEUE, ("broken", b"number seven"))
    service.until("MessageFailed", message_id="broken", is_dead=True)
    with broker.connect() as administrator:
        administrator.channel().queue_delete(QUEUE)
    assert service.until("BrokerLost")["reason"] == "the queue was deleted"
    service.ready()
    broker.publish(QUEUE, ("good", b"x"), ("end", b"number seven"))
    service.until("MessageFailed", message_id="end", is_dead=True)
    until(lambda: seen(connection))
    told = service.stop()
    assert (told["done"], told["dead"], told["in_hand"]) == (1, 2, 0)
    assert told["received"] == told["returned"] + 3


def test_a_dead_worker_is_replaced_though_ids_cannot_be_forgotten(
    start: Start, dsn: str, server_address: Address
) -> None:
    with psycopg.connect(f"{dsn} user={server_address.user}", autocommit=True) as administrator:
        administrator.execute("REVOKE DELETE ON etl.done_message FROM etl_runner")
    service = start("letters", "--workers=1").ready()
    (worker,) = service.workers()
    os.kill(worker, signal.SIGKILL)
    service.until("ConsumingChanged", is_consuming=False)
    service.ready()
    service.stop()


def test_it_ends_though_the_database_is_away_and_a_worker_died(
    start: Start, broker: OwnBroker, stream_environment: dict[str, str]
) -> None:
    """Nobody can say what became of the message: the broker delivers it again."""
    with OwnServer() as server:
        database = server.new_database()
        done = runner(stream_environment)("init", "--with-roles", ETL_DSN=server.dsn(database))
        assert done.status == 0, done.err
        holder = server.connect(database)
        holder.execute("SELECT pg_advisory_lock($1)", [GATE])
        service = start("letters", "--workers=1", ETL_DSN=server.dsn(database, RUNNER)).ready()
        broker.publish(QUEUE, ("slow", b"wait"))
        until_found(holder, WAITS_AT_GATE)
        (worker,) = service.workers()
        os.kill(worker, signal.SIGSTOP)
        holder.close()
        server.stop("immediate")
        os.kill(worker, signal.SIGKILL)
        service.until("WorkerFinished")
        told = service.stop()
    assert service.process.returncode == 128 + signal.SIGTERM
    assert (told["received"], told["returned"], told["in_hand"]) == (1, 1, 0)
    assert broker.depth(QUEUE) == 1
