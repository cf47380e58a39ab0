"""Faults of all kinds while messages are stored; in the end each is stored once, or a dead letter.

``python -m tests.stream.chaos FAULTS SEED [classic]`` runs as many faults as wanted. The seed gives
the same messages and the same order of faults again, though not the same microseconds.
"""

import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from etl import job as jobs
from etl.job.shape import Stream
from etl.stream import dead_letters
from etl.stream.address import Broker
from tests.conftest import RUNNER, runner
from tests.faults.proxy import Proxy
from tests.faults.servers import OwnServer
from tests.stream.broker import OwnBroker
from tests.stream.conftest import QUEUE, Service, make_job

KINDS = (
    "kill_worker",
    "kill_service",
    "stop_service",
    "restart_broker",
    "kill_broker",
    "restart_server",
    "crash_server",
    "end_session",
    "cut_amqp",
    "cut_pg",
    "freeze_amqp",
)
"""What is done; ``freeze_amqp`` is found out by heartbeats alone."""
_BETWEEN = 40
"""Messages for each fault."""
_PATIENCE_S = 120.0


@dataclass
class Outcome:
    """What a run came to.

    Attributes:
        faults: How often each kind was done.
        stored: How often each message is in the table.
        dead: The reason of each dead letter.
        wrong: What should not be; empty where all is well.
    """

    published: int = 0
    faults: Counter[str] = field(default_factory=Counter[str])
    stored: Counter[str] = field(default_factory=Counter[str])
    dead: dict[str, str] = field(default_factory=dict[str, str])
    wrong: list[str] = field(default_factory=list[str])


class Chaos:
    """A run.

    Args:
        stack: What it starts ends with this.
        broker: A broker that it may restart and kill.
        seed: Of messages and faults.
        kind: quorum or classic.
    """

    def __init__(self, stack: ExitStack, broker: OwnBroker, seed: int, kind: str) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - it decides faults
        self._broker = broker
        self._server = stack.enter_context(OwnServer())
        self._by_amqp = stack.enter_context(Proxy(broker.port))
        self._by_pg = stack.enter_context(Proxy(self._server.socket))
        self._database = self._server.new_database()
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="etl-chaos-")))
        self._log = stack.enter_context((folder / "log").open("ab+"))
        self._folder = make_job(folder / "jobs", kind)
        toml = self._folder / "letters" / "job.toml"
        toml.write_text(toml.read_text().replace("attempts = 3", "attempts = 6"))
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("ETL_", "PG"))},
            **({"ETL_PG_BIN": os.environ["ETL_PG_BIN"]} if "ETL_PG_BIN" in os.environ else {}),
            "ETL_STATE_DIR": str(folder / "state"),
            "ETL_JOBS_DIR": str(self._folder),
            "ETL_AMQP_URL": f"amqp://guest:guest@127.0.0.1:{self._by_amqp.port}/?heartbeat=4",
            "ETL_DSN": self._by_pg.dsn(self._database, RUNNER),
        }
        done = runner(self._environment)(
            "init", "--with-roles", ETL_DSN=self._server.dsn(self._database)
        )
        assert done.status == 0, done.err
        stream = jobs.load(self._folder / "letters").stream
        assert stream is not None
        self._stream: Stream = stream
        self._service = self._start()
        stack.callback(lambda: self._service.kill())
        self.outcome = Outcome()

    def _start(self) -> Service:
        # Not to a pipe: nobody would read it while the run waits for something else.
        arguments = ("letters", "--workers=2", "--prefetch=6")
        return Service(self._environment, *arguments, log=self._log.fileno())

    def plan(self, faults: int) -> list[str]:
        """So many faults, each kind as often as the others."""
        order: list[str] = []
        while len(order) < faults:
            order += self._chance.sample(KINDS, len(KINDS))
        return order[:faults]

    def run(self, faults: list[str]) -> Outcome:
        """Do these faults, in this order."""
        self._wait_for(self._is_declared)
        for name in faults:
            fault: Callable[[], None] = getattr(self, f"_{name}")
            before = self._settled()
            self._publish(_BETWEEN)
            wanted = before + self._chance.randrange(1, _BETWEEN // 2)
            self._wait_for(lambda wanted=wanted: self._settled() >= wanted)  # type: ignore[misc]
            fault()
            self.outcome.faults[name] += 1
        self._wait_for(self._is_over)
        self._service.stop()  # and nothing that was still under way is stored once more
        self._judge()
        return self.outcome

    def _publish(self, count: int) -> None:
        messages: list[tuple[str | None, bytes]] = []
        for _ in range(count):
            self.outcome.published += 1
            number = self.outcome.published
            kind = self._chance.random()
            body = f"letter {number} ".encode() * self._chance.choice([1, 10, 10_000])
            if kind < 0.02:
                body = b"raise P0001"
            elif kind < 0.04:
                body = b"number seven"
            messages.append((f"m{number}", body))
            if kind > 0.95:
                messages.append((f"m{number}", body))  # sent twice
        self._broker.publish(QUEUE, *messages)

    def _is_declared(self) -> bool:
        try:
            return self._broker.depth(f"{QUEUE}.retry.{100}ms") == 0
        except Exception as error:
            if type(error).__module__.startswith("pika"):
                return False
            raise

    def _settled(self) -> int:
        (stored,) = self._ask("SELECT count(DISTINCT message_id) FROM letters.seen")
        return int(str(stored)) + self._broker.depth(f"{QUEUE}.dead")

    def _is_over(self) -> bool:
        if self._settled() < self.outcome.published:
            return False
        self._judge()  # a dead letter may be there twice, so their number alone says too little
        return not any(wrong.endswith("stored 0 times") for wrong in self.outcome.wrong)

    def _ask(self, query: str) -> tuple[object, ...]:
        with self._server.connect(self._database) as connection:
            return connection.execute(query.encode()).fetchone() or ()

    def _wait_for(self, condition: Callable[[], bool]) -> None:
        until = time.monotonic() + _PATIENCE_S
        while not condition():
            if time.monotonic() > until:
                self._log.seek(0)
                said = self._log.read().decode()[-6000:]
                raise TimeoutError(f"{self.outcome} settled {self._settled()}\n{said}")

    def _judge(self) -> None:
        self.outcome.wrong.clear()
        self.outcome.dead.clear()
        with self._server.connect(self._database) as connection:
            rows = connection.execute("SELECT message_id FROM letters.seen")
            self.outcome.stored = Counter(str(key) for (key,) in rows)
        broker = Broker.parse(self._broker.url)
        for item in dead_letters.listed(broker, "letters", self._stream):
            self.outcome.dead[item.item_key] = f"{item.outcome} {item.sqlstate} {item.message}"
            # Whose worker died at the last attempt may have been stored: nobody could tell.
            if item.item_key in self.outcome.stored and item.outcome != "orphaned":
                self.outcome.wrong.append(f"{item.item_key} is stored and dead: {item}")
        for number in range(1, self.outcome.published + 1):
            key = f"m{number}"
            times = self.outcome.stored[key]
            if times > 1 or (times == 0 and key not in self.outcome.dead):
                self.outcome.wrong.append(f"{key} is stored {times} times")

    def _kill_worker(self) -> None:
        with suppress(ProcessLookupError, IndexError, FileNotFoundError):
            os.kill(self._chance.choice(self._service.workers()), signal.SIGKILL)

    def _kill_service(self) -> None:
        self._service.kill()
        self._service = self._start()

    def _stop_service(self) -> None:
        self._service.stop()
        self._service = self._start()

    def _restart_broker(self) -> None:
        self._broker.restart()

    def _kill_broker(self) -> None:
        self._broker.kill()
        self._broker.start()

    def _restart_server(self) -> None:
        self._server.restart("fast")

    def _crash_server(self) -> None:
        self._server.restart("immediate")

    def _end_session(self) -> None:
        self._ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name LIKE 'etl:letters w%' LIMIT 1"
        )

    def _cut_amqp(self) -> None:
        self._by_amqp.cut(is_reset=self._chance.random() < 0.5)

    def _cut_pg(self) -> None:
        self._by_pg.cut(is_reset=self._chance.random() < 0.5)

    def _freeze_amqp(self) -> None:
        """Nothing comes through any more, and nobody says so: heartbeats tell."""
        self._by_amqp.freeze()


def main() -> None:
    """Run it, and say what it came to."""
    faults, seed, *kind = sys.argv[1:]
    begun = time.monotonic()
    with ExitStack() as stack:
        broker = stack.enter_context(OwnBroker())
        chaos = Chaos(stack, broker, int(seed), kind[0] if kind else "quorum")
        found = chaos.run(chaos.plan(int(faults)))
    took = time.monotonic() - begun
    out = sys.stdout
    out.write(f"{sum(found.faults.values())} faults in {took:.0f} s: {dict(found.faults)}\n")
    out.write(f"{found.published} published, {len(found.stored)} stored, {len(found.dead)} dead\n")
    for wrong in found.wrong:
        out.write(f"WRONG: {wrong}\n")
    out.write("nothing lost, nothing counted twice\n" if not found.wrong else "BROKEN\n")
    sys.exit(1 if found.wrong else 0)


if __name__ == "__main__":
    main()
