"""A RabbitMQ of the tests' own: own node, ports, folders and cookie; killed at will."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import IO, Any, cast

import pika

from tests.ports import free_port

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


def is_installed() -> bool:
    """Whether there is a broker to start."""
    return SERVER.exists()


def _certify(certificate: Path, key: Path) -> None:
    """Make a certificate for localhost that vouches for itself."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    files = ("-out", certificate, "-keyout", key)
    subprocess.run([*command.split(), *names, *files], check=True, capture_output=True, timeout=60)


class OwnBroker:
    """A broker; it runs while entered, and is gone afterwards.

    Attributes:
        port: Where it listens.
        url: How to reach it.
        tls_url: How to reach it by TLS, without options.
        ca: The certificate that it can be checked with.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="etl-rabbit-"))
        self.port = free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}/"
        self._process: subprocess.Popen[bytes] | None = None
        plugins = self._folder / "enabled_plugins"
        plugins.write_text("[].\n")
        tls_port = free_port()
        self.tls_url = f"amqps://guest:guest@localhost:{tls_port}/"
        self.ca, key = self._folder / "ca.pem", self._folder / "key.pem"
        _certify(self.ca, key)
        config = self._folder / "rabbitmq.conf"
        config.write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\nlog.console = false\n"
            "max_message_size = 8000000\n"
            f"listeners.ssl.1 = 127.0.0.1:{tls_port}\n"
            f"ssl_options.certfile = {self.ca}\nssl_options.keyfile = {key}\n"
        )
        # Its own name service too: one that is shared would outlive the tests, or end with others.
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("RABBITMQ_", "ERL_"))},
            "HOME": str(self._folder),
            "RABBITMQ_NODENAME": f"etl{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "ERL_EPMD_PORT": str(free_port()),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_MNESIA_BASE": str(self._folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self._folder / "log"),
            "RABBITMQ_PID_FILE": str(self._folder / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
            "RABBITMQ_CONFIG_FILE": str(config),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_GENERATED_CONFIG_DIR": str(self._folder / "config"),
            "RABBITMQ_ALLOW_INPUT": "true",  # no shell around it that outlives a kill
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none -noinput",
            "LANG": "C.UTF-8",
        }

    def __enter__(self) -> "OwnBroker":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        epmd = shutil.which("epmd", path="/usr/bin:/usr/local/bin")
        if epmd is not None:
            subprocess.run(
                [epmd, "-kill"], env=self._environment, check=False, capture_output=True, timeout=30
            )
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def is_running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it where it is down; returns when it takes connections."""
        if self.is_running:
            return
        log = self._folder / "console.log"
        with log.open("ab") as said:
            self._process = subprocess.Popen(
                [SERVER],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                start_new_session=True,
                cwd=self._folder,
            )
        out = cast(IO[bytes], self._process.stdout)
        lines: list[str] = []
        for line in out:
            lines.append(line.decode(errors="replace"))
            if "completed with" in lines[-1]:
                return
        raise RuntimeError(
            "the broker did not start: " + "".join(lines[-20:]) + log.read_text()[-2000:]
        )

    def stop(self) -> None:
        """Stop it in good order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL it."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop and start it."""
        self.stop()
        self.start()

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            if number is signal.SIGKILL:
                os.killpg(self._process.pid, number)
            else:
                self._process.send_signal(number)
        self._process.wait(60)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None

    def connect(self) -> pika.BlockingConnection:
        """A connection of a test's own."""
        return pika.BlockingConnection(pika.URLParameters(self.url))

    def depth(self, queue: str) -> int:
        """How many messages of a queue nobody has taken."""
        with self.connect() as connection:
            return int(connection.channel().queue_declare(queue, passive=True).method.message_count)

    def publish(self, queue: str, *messages: tuple[str | bytes | None, bytes], **more: Any) -> None:
        """Publish messages, each an id and a body."""
        with self.connect() as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            for key, body in messages:
                told: Any = key  # pika takes bytes as well
                properties = pika.BasicProperties(message_id=told, delivery_mode=2, **more)
                channel.basic_publish("", queue, body, properties, mandatory=True)
