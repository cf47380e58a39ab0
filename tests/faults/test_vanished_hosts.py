"""Hosts that vanish without closing: both ends of a connection notice within a minute."""

import os
import socket
from collections.abc import Generator
from contextlib import closing

import pytest
from psycopg.conninfo import make_conninfo

from etl import db
from etl.db import Target
from etl.embedded import binaries
from tests.ports import free_port
from tests.states import own_server

_KEEPALIVES = {
    "tcp_keepalives_idle": "20",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "50000",
}
_CHECK = {"client_connection_check_interval": "10s"}
_OPTIONS = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)


@pytest.fixture(scope="module")
def over_tcp() -> Generator[str]:
    """A server of its own that also listens on a TCP port. How to connect to it there."""
    with own_server() as server:
        port = free_port()
        log = ("-l", str(server.log))
        listen = ("-o", f"-c listen_addresses=127.0.0.1 -c port={port}")
        control = server.binary("pg_ctl")
        data = ("-D", str(server.data), "-w")
        assert binaries.run(control, "restart", *data, *log, *listen).returncode == 0
        yield make_conninfo(server.target.dsn, host="127.0.0.1", port=port)


def _shown(dsn: str) -> dict[str, str]:
    with closing(db.connect(Target.parse(dsn), "tests")) as connection:
        return {
            name: connection.execute(f"SHOW {name}".encode()).fetchall()[0][0]
            for name in (*_KEEPALIVES, *_CHECK)
        }


def test_over_tcp_the_server_notices_a_client_that_vanished(over_tcp: str) -> None:
    assert _shown(over_tcp) == _KEEPALIVES | _CHECK


def test_over_a_socket_of_this_host_only_a_closed_one_is_to_be_noticed(dsn: str) -> None:
    assert _shown(dsn) == dict.fromkeys(_KEEPALIVES, "0") | _CHECK


def test_over_tcp_the_client_notices_a_server_that_vanished(over_tcp: str) -> None:
    with (
        closing(db.connect(Target.parse(over_tcp), "tests")) as connection,
        socket.socket(fileno=os.dup(connection.pgconn.socket)) as wire,
    ):
        assert wire.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        set_for = [wire.getsockopt(socket.IPPROTO_TCP, option) for option in _OPTIONS]
    assert set_for == [20, 10, 3, 50000]


def test_what_the_user_says_of_the_network_wins(over_tcp: str) -> None:
    target = Target.parse(f"{over_tcp} tcp_user_timeout=7000")
    with (
        closing(db.connect(target, "tests")) as connection,
        socket.socket(fileno=os.dup(connection.pgconn.socket)) as wire,
    ):
        assert wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 7000
