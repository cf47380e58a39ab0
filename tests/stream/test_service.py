"""What a service does with messages: stores each once, tries again, gives up, ends."""

import json
import os
import signal
from collections import Counter
from pathlib import Path

from etl.db import Connection
from tests.conftest import runner
from tests.shapes import assert_exact
from tests.stream.broker import OwnBroker
from tests.stream.conftest import GATE, QUEUE, Start, make_job
from tests.waiting import WAITS_AT_GATE, until, until_found

DEAD = f"{QUEUE}.dead"


def seen(connection: Connection) -> Counter[str]:
    """How often each message was stored."""
    rows = connection.execute("SELECT message_id FROM letters.seen")
    return Counter(str(key) for (key,) in rows)


def test_each_message_is_stored_once(
    start: Start, broker: OwnBroker, connection: Connection
) -> None:
    service = start("letters", "--workers=2").ready()
    broker.publish(QUEUE, *((f"m{n}", b"x" * (n * 40_000)) for n in range(30)))
    broker.publish(QUEUE, ("m3", b"once more"), (None, b"nameless"), (None, b"nameless"))
    broker.publish(QUEUE, ("last", b"raise P0001"))
    service.until("MessageFailed", message_id="last", is_dead=True)
    told = service.stop()
    assert service.process.returncode == 128 + signal.SIGTERM
    found = seen(connection)
    assert len(found) == 31
    assert set(found.values()) == {1}
    assert sum(key.startswith("sha256:") for key in found) == 1
    sizes = connection.execute("SELECT length(body) FROM letters.seen ORDER BY 1 DESC LIMIT 1")
    assert sizes.fetchone() == (29 * 40_000,)
    assert (told["done"], told["duplicates"], told["retried"], told["dead"]) == (31, 2, 2, 1)
    assert told["received"] == 36
    assert (told["in_hand"], told["returned"]) == (0, 0)
    assert broker.depth(QUEUE) == 0
    assert_exact("stream", told)


def test_failures_come_again_and_then_go_to_the_dead_letters(
    start: Start, broker: OwnBroker, connection: Connection, stream_environment: dict[str, str]
) -> None:
    service = start().ready()
    broker.publish(QUEUE, ("good", b"x"), ("bad", b"raise P0001"), ("broken", b"number seven"))
    broker.publish(QUEUE, ("nul", b"a\0b"), ("binary", b"\xff\xfe"))
    broker.publish(QUEUE, ("first", b"single"))
    told = service.until("MessageFailed", message_id="bad", is_dead=True)
    assert (told["attempts"], told["sqlstate"], told["queue"]) == (3, "P0001", DEAD)
    failures = [each for each in service.heard if each["event"] == "MessageFailed"]
    by_key = {each["message_id"]: each for each in failures if each["is_dead"]}
    attempts = {key: each["attempts"] for key, each in by_key.items()}
    assert attempts == {"bad": 3, "broken": 1, "nul": 1, "binary": 1}
    # A unique violation of the job's own table is a failure, and no duplicate.
    broker.publish(QUEUE, ("second", b"single"))
    told = service.until("MessageFailed", message_id="second", is_dead=True)
    assert (told["attempts"], told["sqlstate"]) == (3, "23505")
    assert seen(connection) == {"good": 1, "first": 1}

    etl = runner(stream_environment)
    listed = json.loads(etl("held", "list", "letters", "--json").out)
    assert {item["item_key"]: (item["attempts"], item["sqlstate"]) for item in listed} == {
        "bad": (3, "P0001"),
        "broken": (1, "22P02"),
        "nul": (1, "22021"),
        "binary": (1, "22021"),
        "second": (3, "23505"),
    }
    assert next(i["message"] for i in listed if i["item_key"] == "bad").startswith("as it says")
    assert "as it says" in etl("held", "list", "letters").out

    refused = etl("held", "release", "letters", "second", "nobody")
    assert refused.status == 2
    assert "'nobody'" in refused.err
    assert broker.depth(DEAD) == 5
    connection.execute("TRUNCATE letters.single")
    done = etl("held", "release", "letters", "second", "--json")
    assert json.loads(done.out) == {"job": "letters", "released": 1, "items": ["second"]}
    assert etl("held", "release", "letters", "--all").status == 0
    service.until("MessageFailed", message_id="bad", attempts=1)  # as if it had never failed
    service.until("MessageFailed", message_id="bad", is_dead=True)
    service.stop()
    assert seen(connection) == {"good": 1, "first": 1, "second": 1}
    assert broker.depth(DEAD) == 4


def test_a_signal_lets_it_finish_what_it_has_in_hand(
    start: Start, broker: OwnBroker, connection: Connection
) -> None:
    connection.execute("SELECT pg_advisory_lock($1)", [GATE])
    # One in hand: it stops to take any before it hears that this one is done, so nothing can be
    # begun in between. What a worker has and did not begin, the next test looks at.
    service = start("letters", "--workers=1", "--prefetch=1").ready()
    broker.publish(QUEUE, ("slow", b"wait"), ("b", b"x"), ("c", b"x"))
    until_found(connection, WAITS_AT_GATE)
    service.process.send_signal(signal.SIGTERM)
    service.until("StopRequested")
    connection.execute("SELECT pg_advisory_unlock($1)", [GATE])
    told = service.wait()
    assert service.process.returncode == 128 + signal.SIGTERM
    assert seen(connection) == {"slow": 1}
    assert (told["done"], told["in_hand"]) == (1, 0)
    assert broker.depth(QUEUE) == 2


def test_a_second_signal_gives_back_what_is_in_hand(
    start: Start, broker: OwnBroker, connection: Connection
) -> None:
    connection.execute("SELECT pg_advisory_lock($1)", [GATE])
    service = start("letters", "--workers=1", "--prefetch=3").ready()
    broker.publish(QUEUE, ("slow", b"wait"), ("b", b"x"), ("c", b"x"))
    until_found(connection, WAITS_AT_GATE)
    service.process.send_signal(signal.SIGTERM)
    service.until("StopRequested", is_cancelling=False)
    told = service.stop(signal.SIGINT)
    assert service.process.returncode == 128 + signal.SIGTERM
    assert (told["done"], told["in_hand"]) == (0, 0)
    assert told["returned"] == told["received"]
    assert not seen(connection)
    assert broker.depth(QUEUE) == 3


def test_what_is_given_back_often_is_no_dead_letter(
    start: Start, broker: OwnBroker, connection: Connection
) -> None:
    start().ready().stop()
    broker.publish(QUEUE, ("slow", b"wait"), headers={"x-etl-attempts": 1, "mine": "kept"})
    for _ in range(15):
        with broker.connect() as taker:
            assert taker.channel().basic_get(QUEUE)[0] is not None
    connection.execute("SELECT pg_advisory_lock($1)", [GATE])
    service = start("letters", "--workers=1").ready()
    until_found(connection, WAITS_AT_GATE)
    service.process.send_signal(signal.SIGTERM)
    service.until("StopRequested", is_cancelling=False)
    assert service.stop()["returned"] == 1
    with broker.connect() as taker:
        properties = taker.channel().basic_get(QUEUE)[1]
        assert properties is not None
        told = properties.headers
        assert told == {"x-etl-attempts": 1, "mine": "kept", "x-delivery-count": 0}


def test_classic_queues_do_the_same(
    start: Start, broker: OwnBroker, connection: Connection, stream_environment: dict[str, str]
) -> None:
    make_job(Path(stream_environment["ETL_JOBS_DIR"]), "classic")
    service = start().ready()
    broker.publish(QUEUE, ("good", b"x"), ("good", b"x"), ("bad", b"raise P0001"))
    service.until("MessageFailed", message_id="bad", is_dead=True)
    told = service.stop()
    assert (told["done"], told["duplicates"], told["retried"], told["dead"]) == (1, 1, 2, 1)
    (item,) = json.loads(runner(stream_environment)("held", "list", "letters", "--json").out)
    assert (item["item_key"], item["attempts"], item["sqlstate"]) == ("bad", 3, "P0001")


def test_a_worker_that_dies_costs_its_message_an_attempt(
    start: Start, broker: OwnBroker, connection: Connection
) -> None:
    connection.execute("SELECT pg_advisory_lock($1)", [GATE])
    service = start("letters", "--workers=1", "--prefetch=2").ready()
    broker.publish(QUEUE, ("slow", b"wait"), ("next", b"x"))
    until_found(connection, WAITS_AT_GATE)
    (worker,) = service.workers()
    os.kill(worker, signal.SIGKILL)
    told = service.until("MessageFailed", message_id="slow")
    assert (told["outcome"], told["attempts"], told["is_dead"]) == ("orphaned", 1, False)
    connection.execute("SELECT pg_advisory_unlock($1)", [GATE])
    broker.publish(QUEUE, ("end", b"raise 22000"))
    service.until("MessageFailed", message_id="end")
    until(lambda: "slow" in seen(connection))
    told = service.stop()
    assert seen(connection) == {"slow": 1, "next": 1}
    assert told["orphaned"] == 1


def test_what_meets_every_message_kills_none(
    start: Start, broker: OwnBroker, connection: Connection
) -> None:
    connection.execute("ALTER TABLE letters.seen RENAME TO away")
    service = start("letters", "--workers=2").ready()
    broker.publish(QUEUE, *((f"m{n}", b"x") for n in range(5)))
    told = service.until("WorkerDelayed")
    assert "42P01" in told["reason"]
    connection.execute("ALTER TABLE letters.away RENAME TO seen")
    until(lambda: len(seen(connection)) == 5)
    told = service.stop()
    assert (told["dead"], told["retried"], told["done"]) == (0, 0, 5)


def test_health_says_what_is_wrong(
    start: Start, broker: OwnBroker, stream_environment: dict[str, str], tmp_path: Path
) -> None:
    etl = runner(stream_environment)
    missing = etl("letters", "health")
    assert missing.status == 1
    assert "does not have the queue" in missing.out
    service = start().ready()
    well = etl("letters", "health", "--json")
    told = json.loads(well.out)
    assert (well.status, told["is_well"], told["consumers"]) == (0, True, 1), well
    assert_exact("health", told)
    service.stop()
    alone = etl("letters", "health", "--json", ETL_DSN="host=/nowhere")
    told = json.loads(alone.out)
    assert (alone.status, told["broker"], told["database"]) == (1, True, False)
    assert len(told["problems"]) == 2


def test_a_broker_is_reached_by_tls_and_its_certificate_checked(
    start: Start, broker: OwnBroker, stream_environment: dict[str, str]
) -> None:
    etl = runner(stream_environment)
    trusting = f"{broker.tls_url}?cacertfile={broker.ca}"
    service = start("letters", ETL_AMQP_URL=trusting).ready()
    broker.publish(QUEUE, ("end", b"raise 22000"))
    service.until("MessageFailed", message_id="end")
    for url in (trusting, f"{broker.tls_url}?verify=verify_none"):
        assert etl("letters", "health", ETL_AMQP_URL=url).status == 0
    for url in (broker.tls_url, trusting.replace("localhost", "127.0.0.1")):
        refused = etl("letters", "health", ETL_AMQP_URL=url)
        assert refused.status == 1
        assert "CERTIFICATE_VERIFY_FAILED" in refused.out
    service.stop()


def test_a_password_is_told_to_nobody(stream_environment: dict[str, str], tmp_path: Path) -> None:
    etl = runner({k: v for k, v in stream_environment.items() if k != "ETL_AMQP_URL"})
    url = "amqp://guest:geheim@127.0.0.1:1/"
    for given in (url, url + "ho@st", url + "?geheim=1", "amqp://geheim", "http://x:geheim@h/"):
        done = etl("letters", "health", "--amqp", given)
        assert done.status in (1, 2)
        assert "geheim" not in done.out + done.err or given == "amqp://geheim"
    assert etl("letters").status == 2
    file = tmp_path / "url"
    file.write_text(url)
    file.chmod(0o644)
    refused = etl("letters", "health", ETL_AMQP_URL_FILE=str(file))
    assert refused.status == 2
    assert "others can read" in refused.err
    file.chmod(0o600)
    taken = etl("letters", "health", ETL_AMQP_URL_FILE=str(file))
    assert taken.status == 1
    assert "cannot reach the broker at 127.0.0.1 port 1" in taken.out


def test_queues_that_are_otherwise_end_it_and_nothing_else_is_taken_for_that(
    start: Start, broker: OwnBroker, stream_environment: dict[str, str]
) -> None:
    with broker.connect() as connection:
        connection.channel().queue_declare(DEAD, durable=True)
    service = start()
    service.wait()
    assert service.process.returncode == 2
    assert "is not as the job says" in service.text
    assert "BrokerLost" not in service.text
    etl = runner(stream_environment)
    for command in (("held", "list", "letters"), ("held", "release", "letters", "--all")):
        refused = etl(*command)
        assert (refused.status, "inequivalent arg" in refused.err) == (2, True)
    # The same code of the broker: a message that is larger than it takes.
    large = etl("telemetry", "publish-sample", "--count=1", "--players=100", "--events=700")
    assert large.status == 2
    assert "larger than configured" in large.err
    assert "job.toml" not in large.err
