"""A network that swallows everything, between two namespaces, and comes back."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from psycopg.conninfo import make_conninfo

from etl.db import Connection
from tests.conftest import REPOSITORY, RUNNER
from tests.faults.conftest import AS_OF, wait_until_at_gate
from tests.faults.outages.conftest import Cycles
from tests.faults.servers import OwnServer
from tests.gates import open_gate
from tests.support import dirty
from tests.waiting import until

# Documentation addresses: they exist nowhere but in these namespaces.
CLIENT, SERVER = "192.0.2.1", "192.0.2.2"


@dataclass(frozen=True)
class Network:
    """Two network namespaces and a cable between them.

    Attributes:
        client: Name of the namespace in which the cycle runs.
        server: Name of the one in which the server is reached.
        port: Of the server, there.
    """

    client: str
    server: str
    port: int

    def pull_the_plug(self) -> None:
        ip("-n", self.server, "link", "set", "cable", "down")

    def plug_in(self) -> None:
        ip("-n", self.server, "link", "set", "cable", "up")


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@pytest.fixture
def network(server: OwnServer) -> Generator[Network]:
    """A server that is reached over a cable which can be pulled."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        assert not os.environ.get("CI"), "in CI these tests run as root, with iproute2"
        pytest.skip("SKIPPED LOUDLY: only root can make network namespaces, and needs iproute2")
    if subprocess.run(["unshare", "-n", "true"], check=False).returncode:
        pytest.skip("SKIPPED LOUDLY: this kernel lets not even root make network namespaces")
    client, host = f"etl-client-{os.getpid()}", f"etl-server-{os.getpid()}"
    with ExitStack() as stack:
        for name in (client, host):
            ip("netns", "add", name)
            stack.callback(ip, "netns", "del", name)
        ip("-n", client, "link", "add", "cable", "type", "veth", "peer", "name", "cable",
           "netns", host)  # fmt: skip
        for name, address in ((client, CLIENT), (host, SERVER)):
            ip("-n", name, "address", "add", f"{address}/24", "dev", "cable")
            ip("-n", name, "link", "set", "cable", "up")
        # A socket in the file system is reached from every namespace.
        command = [sys.executable, "-m", "tests.faults.proxy", str(server.socket), SERVER]
        proxy = stack.enter_context(
            subprocess.Popen(
                ["ip", "netns", "exec", host, *command],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY,
            )
        )  # fmt: skip
        assert proxy.stdout is not None
        yield Network(client, host, int(proxy.stdout.readline()))
        proxy.communicate("")


StartOnNetwork = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start_on_network(
    network: Network, environment: dict[str, str], database: str
) -> Generator[StartOnNetwork]:
    """Starts cycles in the client's namespace."""
    with ExitStack() as stack:

        def begin(**parameters: str) -> "subprocess.Popen[str]":
            dsn = make_conninfo(
                host=SERVER, port=network.port, user=RUNNER, dbname=database, **parameters
            )
            command = [sys.executable, "-m", "etl", "datamart-users", AS_OF, "--json"]
            process = subprocess.Popen(
                ["ip", "netns", "exec", network.client, *command, "--workers=1"],
                env={**environment, "ETL_DSN": dsn}, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield begin


def test_a_network_that_swallows_everything_is_noticed_and_waited_for(
    start_on_network: StartOnNetwork, network: Network, gate: Connection, cycles: Cycles
) -> None:
    run = start_on_network(
        tcp_user_timeout="1000", keepalives_idle="1", keepalives_interval="1", connect_timeout="2"
    )
    backend = wait_until_at_gate(gate)
    network.pull_the_plug()
    until(lambda: not connections(network), run)  # the kernel has given them up
    network.plug_in()
    gate.execute("SELECT pg_terminate_backend($1)", [backend])
    out, err = run.communicate()
    open_gate(gate)
    assert run.returncode == 1, err
    record = json.loads(out)
    assert (record["done"], record["failed"], record["orphaned"]) == (5, 1, 0)
    assert dirty(gate) == {"user2"}
    cycles.assert_the_next_needs_no_clean_up()


def connections(network: Network) -> list[str]:
    """The established connections of the client's namespace."""
    listed = subprocess.run(
        ["ip", "netns", "exec", network.client, "cat", "/proc/net/tcp"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return [line for line in listed.stdout.splitlines()[1:] if line.split()[3] == "01"]
