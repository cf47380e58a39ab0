"""Bars 21 to 23: messages from a real RabbitMQ, against a plain consumer script of one process."""

import json
import signal
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pika

from etl import db, folders, job
from tests.bench.measure import Measurement, Samples, alternate, compared
from tests.bench.memory import Peaks, look
from tests.bench.server import CommandError, etl_command
from tests.bench.warehouse import Bench
from tests.stream.broker import OwnBroker

_QUEUE = "telemetry"
_WORKERS = 2
_RATE = (
    "SELECT (count(*) - 1) / extract(epoch FROM max(stored_at) - min(stored_at))"
    " FROM telemetry.matches"
)
_STORED = "SELECT match_id, extract(epoch FROM stored_at) FROM telemetry.matches"
_FLAT = 1.1
_LOAD = 0.6
"""Of what the plain script can do: the load under which latencies are measured."""

Messages = list[tuple[str, bytes]]


def throughput(bench: Bench) -> Iterator[Measurement]:
    """Messages a second, of a queue that was full."""
    with _stage(bench) as stage:
        messages = stage.usual()
        size = sum(len(body) for _, body in messages) / len(messages) / 1e3
        ours, plain = alternate(
            bench.size.rounds, lambda: stage.ours(messages), lambda: stage.plain(messages)
        )
    what = f"messages of {size:,.0f} kB with {_WORKERS} workers"
    yield compared(21, what, ours, "plain script", plain, "/s", least=1.6)


def memory(bench: Bench) -> Iterator[Measurement]:
    """Most memory, after a tenth of many small messages and after all."""
    many = bench.size.stream_many
    with _stage(bench) as stage:
        few, peaks = stage.peaks(stage.messages(many, 2, 4))
    growth = max(peaks[role]["VmHWM"] / few[role]["VmHWM"] for role in peaks)
    told = ", ".join(f"{role} {peak['VmHWM']:.1f} MB" for role, peak in peaks.items())
    yield Measurement(
        22, f"peak RSS after {many:,} messages against a tenth of them", told, "", growth, "x",
        _FLAT, is_least=False,
    )  # fmt: skip


def latency(bench: Bench) -> Iterator[Measurement]:
    """From publishing to the stored row, under a load that one process can just bear."""
    with _stage(bench) as stage:
        messages = stage.usual()
        rate = stage.plain(messages) * _LOAD
        mine = stage.latencies(messages, rate, is_ours=True)
        theirs = stage.latencies(messages, rate, is_ours=False)
    yield Measurement(
        23, f"99 % are stored within, at {rate:,.0f} messages/s", f"{mine[98]:,.0f} ms",
        f"plain script {theirs[98]:,.0f} ms", mine[98] / theirs[98], "x", 1.0, is_least=False,
        details=(f"median {mine[49]:,.0f} ms, plain script {theirs[49]:,.0f} ms",),
    )  # fmt: skip


@contextmanager
def _stage(bench: Bench) -> "Generator[_Stage]":
    with OwnBroker() as broker:
        yield _Stage(bench, broker)


class _Stage:
    def __init__(self, bench: Bench, broker: OwnBroker) -> None:
        self._bench, self._server, self._broker = bench, bench.server, broker
        self._numbers = count(1)
        self._job = job.load(folders.sql_folder() / "jobs" / "telemetry")

    def messages(self, how_many: int, players: int, events: int) -> Messages:
        values = {"players": players, "events": events, "seed": 1, "first": 1, "last": how_many}
        with self._server.connect(self._server.database("bench_stream")) as connection:
            rows = db.run(connection, self._job.sample_messages, **values)
            return [(str(key), str(body).encode()) for key, body in rows]

    def usual(self) -> Messages:
        """Messages of a usual size."""
        return self.messages(self._bench.size.stream_messages, 60, 50)

    def _fresh(self) -> str:
        name = self._server.database(f"bench_stream_{next(self._numbers)}")
        with self._ours(name):  # makes the queues
            pass
        return name

    @contextmanager
    def _ours(self, name: str) -> Generator["subprocess.Popen[bytes]"]:
        """A service, as soon as it takes messages."""
        # A worker has its next message at hand, as the plain script has.
        options = (f"--workers={_WORKERS}", f"--prefetch={2 * _WORKERS}", "--log-format=json")
        command = [*etl_command(), "telemetry", *options]
        environment = self._server.environment(name) | {"ETL_AMQP_URL": self._broker.url}
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment
        ) as process:
            assert process.stderr is not None
            for line in process.stderr:
                told: dict[str, Any] = json.loads(line) if line.startswith(b"{") else {}
                if told.get("is_consuming"):
                    break
            yield process
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
        if process.returncode != 128 + signal.SIGTERM:
            raise CommandError(f"the service exits with {process.returncode}")

    @contextmanager
    def _plain(self, name: str, messages: Messages) -> Generator["subprocess.Popen[bytes]"]:
        arguments = [self._broker.url, self._server.dsn(name), str(len(messages))]
        command = [sys.executable, "-m", "tests.bench.stream_plain", *arguments]
        with subprocess.Popen(command) as process:
            yield process
            if process.wait(600):
                raise CommandError(f"the plain script exits with {process.returncode}")

    def _wait(self, name: str, wanted: int) -> None:
        with self._server.connect(name) as connection:
            while True:
                found = connection.execute("SELECT count(*) FROM telemetry.matches").fetchone()
                if found == (wanted,):
                    return
                time.sleep(0.05)

    def _rate(self, name: str) -> float:
        ((rate,),) = self._bench.rows(_RATE, name)
        self._server.drop(name)
        return float(rate)

    def ours(self, messages: Messages) -> float:
        """Messages a second, of a queue that was full."""
        name = self._fresh()
        self._broker.publish(_QUEUE, *messages)
        with self._ours(name):
            self._wait(name, len(messages))
        return self._rate(name)

    def plain(self, messages: Messages) -> float:
        """The same, of the rival."""
        name = self._fresh()
        self._broker.publish(_QUEUE, *messages)
        with self._plain(name, messages):
            pass
        return self._rate(name)

    def peaks(self, messages: Messages) -> tuple[dict[str, Peaks], dict[str, Peaks]]:
        """Most memory of service and workers after a tenth of the messages, and after all."""
        name = self._fresh()
        tenth = len(messages) // 10
        found: list[dict[str, Peaks]] = []
        with self._ours(name) as process:
            for upto, part in ((tenth, messages[:tenth]), (len(messages), messages[tenth:])):
                self._broker.publish(_QUEUE, *part)
                self._wait(name, upto)
                seen: dict[str, Peaks] = {
                    "the service": defaultdict(float), "a worker": defaultdict(float)
                }  # fmt: skip
                look(process, seen["the service"], seen["a worker"])
                found.append(seen)
        self._server.drop(name)
        return found[0], found[1]

    def latencies(self, messages: Messages, rate: float, *, is_ours: bool) -> list[float]:
        """Percentiles from publishing to the stored row, milliseconds, at a steady rate."""
        name = self._fresh()
        published: dict[str, float] = {}
        side = self._ours(name) if is_ours else self._plain(name, messages)
        with side, self._broker.connect() as amqp:
            channel = amqp.channel()
            begun = time.time()
            for place, (key, body) in enumerate(messages):
                time.sleep(max(0.0, begun + place / rate - time.time()))
                published[key] = time.time()
                properties = pika.BasicProperties(message_id=key, delivery_mode=2)
                channel.basic_publish("", _QUEUE, body, properties)
            self._wait(name, len(messages))
        rows = self._bench.rows(_STORED, name)
        self._server.drop(name)
        waited = [(float(at) - published[str(key)]) * 1000 for key, at in rows]
        return list(Samples(statistics.quantiles(waited, n=100)).values)
