"""A broker for all tests of this folder, a stream of its own for each, and services in between."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import IO, Any, cast

import pytest

from tests.conftest import Address, runner
from tests.stream.broker import OwnBroker, is_installed

QUEUE = "letters"
GATE = 7
_TOML = """title = "Letters"
unit = "letter"
acknowledge = "ledger"
[stream]
queue = "letters"
type = "{type}"
attempts = 3
back_off = "100ms"
longest_back_off = "400ms"
[defaults]
lock_timeout = "{lock_timeout}"
"""
_SCHEMA = """CREATE SCHEMA letters;
CREATE TABLE letters.seen (message_id text, body text, pid integer DEFAULT pg_backend_pid());
CREATE TABLE letters.single (body text PRIMARY KEY);
GRANT USAGE ON SCHEMA letters TO PUBLIC;
GRANT SELECT, INSERT ON letters.seen, letters.single TO PUBLIC;
"""
_TAKE = f"""CREATE OR REPLACE PROCEDURE letters.take(message_id text, body text)
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO letters.seen (message_id, body) VALUES (message_id, body);
    IF body LIKE 'wait%' THEN PERFORM pg_advisory_xact_lock_shared({GATE}); END IF;
    IF body LIKE 'raise %' THEN
        RAISE EXCEPTION 'as it says: %', body USING ERRCODE = substr(body, 7, 5);
    END IF;
    IF body LIKE 'single%' THEN INSERT INTO letters.single VALUES (body); END IF;
    IF body LIKE 'number%' THEN PERFORM substr(body, 8)::integer; END IF;
END $$;
"""


def make_job(folder: Path, kind: str = "quorum", lock_timeout: str = "5s") -> Path:
    """A job that stores letters, and fails as they say. Returns the folder of the jobs."""
    files = {
        "job.toml": _TOML.format(type=kind, lock_timeout=lock_timeout),
        "process.sql": "CALL letters.take(:'message_id', :'body');",
        "schema/0001_letters.sql": _SCHEMA,
        "procedures/take.sql": _TAKE,
        "grants/etl_runner.sql": "GRANT EXECUTE ON PROCEDURE letters.take TO etl_runner;",
    }
    for name, text in files.items():
        path = folder / "letters" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


class Service:
    """A service in the background, which is heard by its log.

    Args:
        environment: Of its process.
        arguments: Of the command, the job first.
        log: A file for its log; None: it is heard.
    """

    def __init__(
        self, environment: dict[str, str], *arguments: str, log: int = subprocess.PIPE
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "etl", *arguments, "--json", "--log-format=json"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            process_group=0,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self._said = cast(IO[bytes], self.process.stderr)
        self.heard: list[dict[str, Any]] = []
        self.text = ""

    def until(self, event: str, **facts: object) -> dict[str, Any]:
        """Wait for an event with these facts; others before it are kept in ``heard``."""
        for line in self._said:
            self.text += line.decode()
            if not line.startswith(b"{"):
                continue
            told: dict[str, Any] = json.loads(line)
            self.heard.append(told)
            if told["event"] == event and facts.items() <= told.items():
                return told
        raise AssertionError(f"ended before {event} {facts}: {self.text}")

    def ready(self) -> "Service":
        """Wait until it takes messages."""
        self.until("ConsumingChanged", is_consuming=True)
        return self

    def workers(self) -> list[int]:
        """The processes of its workers."""
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in listed.split()]

    def stop(self, number: int = signal.SIGTERM) -> dict[str, Any]:
        """Ask it to end, and wait. Returns its last word."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> dict[str, Any]:
        """Wait until it has ended. Returns its last word."""
        out, err = self.process.communicate()
        self.text += (err or b"").decode()
        told: dict[str, Any] = json.loads(out) if out.strip() else {}
        return told

    def kill(self) -> None:
        """SIGKILL, where it still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


@pytest.fixture(scope="session")
def _broker() -> Generator[OwnBroker]:
    if not is_installed():
        if os.environ.get("CI"):
            pytest.fail("RabbitMQ is not installed")
        pytest.skip("RabbitMQ is not installed: apt-get install rabbitmq-server")
    with OwnBroker() as running:
        yield running


@pytest.fixture
def broker(_broker: OwnBroker) -> Generator[OwnBroker]:
    """A broker that is up, without the queues of a test before."""
    _broker.start()
    yield _broker
    _broker.start()
    with _broker.connect() as connection:
        channel = connection.channel()
        for queue in (QUEUE, "telemetry"):
            for name in (queue, f"{queue}.dead"):
                channel.queue_delete(name)
            for wait in (100, 400, 1600, 5000, 20_000, 80_000, 320_000):
                channel.queue_delete(f"{queue}.retry.{wait}ms")


Start = Callable[..., Service]


@pytest.fixture
def stream_environment(
    environment: dict[str, str],
    dsn: str,
    server_address: Address,
    broker: OwnBroker,
    tmp_path: Path,
) -> dict[str, str]:
    """The environment of commands that know the job of letters, which the database has."""
    folder = make_job(tmp_path / "jobs")
    known = {**environment, "ETL_JOBS_DIR": str(folder), "ETL_AMQP_URL": broker.url}
    done = runner(known)("init", "--with-roles", ETL_DSN=f"{dsn} user={server_address.user}")
    assert done.status == 0, done.err
    return {**known, "ETL_DSN": dsn}


@pytest.fixture
def start(stream_environment: dict[str, str]) -> Generator[Start]:
    """Starts services; they are gone after the test."""
    started: list[Service] = []

    def begin(*arguments: str, **more: str) -> Service:
        started.append(Service({**stream_environment, **more}, *(arguments or ("letters",))))
        return started[-1]

    yield begin
    for service in started:
        service.kill()
