"""Hosts with addresses of their own on this machine: network namespaces, each with its cable."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.faults.conftest import AS_OF

# Documentation addresses: they exist nowhere but here.
ADDRESSES = (("198.51.100.1", "198.51.100.2"), ("203.0.113.1", "203.0.113.2"))
"""Of the server, and of the host, on each cable."""
_FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")


def ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True).stdout


@dataclass
class Host:
    """A network namespace that reaches the server over its own cable.

    Attributes:
        name: Of the namespace.
        cable: Name of the server's end of its cable.
        server: Address of the server, seen from it.
    """

    name: str
    cable: str
    server: str
    runs: list["subprocess.Popen[str]"] = field(default_factory=list["subprocess.Popen[str]"])

    def start(
        self, environment: dict[str, str], *arguments: str, **more: str
    ) -> "subprocess.Popen[str]":
        # Their end of a pipe in a file system is the same in every namespace.
        run = subprocess.Popen(
            ["ip", "netns", "exec", self.name, sys.executable, "-m", "etl", *arguments],
            env={**environment, **more}, cwd=REPOSITORY, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.runs.append(run)
        return run

    def pull_the_plug(self) -> None:
        """From now on every packet is lost, and nobody is told."""
        ip("link", "set", self.cable, "down")

    def plug_in(self) -> None:
        ip("link", "set", self.cable, "up")

    def connections(self) -> list[str]:
        """Those that are established."""
        listed = ip("netns", "exec", self.name, "cat", "/proc/net/tcp").splitlines()[1:]
        return [line for line in listed if line.split()[3] == "01"]

    def kill(self) -> None:
        for pid in ip("netns", "pids", self.name).split():
            os.kill(int(pid), signal.SIGKILL)

    def end(self) -> None:
        """Leave nothing running there."""
        self.kill()
        for run in self.runs:
            run.communicate()
        self.runs.clear()


def ahead_of_time() -> dict[str, str]:
    """An environment whose clock is three days ahead, where that can be made; else none."""
    if not _FAKETIME.exists():
        return {}
    return {"LD_PRELOAD": str(_FAKETIME), "FAKETIME": "+3d", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


@contextmanager
def two_hosts() -> Generator[tuple[Host, Host]]:
    """Two of them, before the server starts: it listens at their cables."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        assert not os.environ.get("CI"), "in CI these tests run as root, with iproute2"
        pytest.skip("SKIPPED LOUDLY: only root can make network namespaces, and needs iproute2")
    if subprocess.run(["unshare", "-n", "true"], check=False).returncode:
        assert not os.environ.get("CI"), "in CI the kernel lets root make network namespaces"
        pytest.skip("SKIPPED LOUDLY: this kernel lets not even root make network namespaces")
    hosts: list[Host] = []
    with ExitStack() as stack:
        for letter, (server, client) in zip("ab", ADDRESSES, strict=True):
            host = Host(f"etl-{letter}-{os.getpid()}", f"etl{letter}{os.getpid()}", server)
            ip("netns", "add", host.name)
            stack.callback(ip, "netns", "del", host.name)
            ip("link", "add", host.cable, "type", "veth", "peer", "name", "cable",
               "netns", host.name)  # fmt: skip
            ip("address", "add", f"{server}/24", "dev", host.cable)
            ip("-n", host.name, "address", "add", f"{client}/24", "dev", "cable")
            ip("-n", host.name, "link", "set", "cable", "up")
            host.plug_in()
            stack.callback(host.end)
            hosts.append(host)
        yield hosts[0], hosts[1]


ARGUMENTS = ("datamart-users", AS_OF, "--json", "--queue=postgres", "--workers=1")
"""Of the cycle that one of them runs."""
CREW = ("worker", "datamart-users", "--json", "--workers=1")
"""Of the crew of another one."""
