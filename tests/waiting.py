"""Waiting for what others bring about: never for a time, but until it is there.

It is asked for again and again; between two questions the processors are theirs. What never comes
is ended by pytest's timeout.
"""

import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import psycopg

from etl.db import Connection, Row

T = TypeVar("T")
WAITS_FOR_LOCK = "SELECT pid FROM pg_locks WHERE NOT granted"
WAITS_AT_GATE = f"{WAITS_FOR_LOCK} AND locktype = 'advisory'"
_PAUSE_S = 0.005


def until(question: Callable[[], T], running: "subprocess.Popen[Any] | None" = None) -> T:
    """Ask until the answer is true, and return it.

    Args:
        question: What is asked.
        running: A process that must not end before.
    """
    while not (answer := question()):
        assert running is None or running.poll() is None, running.communicate()
        time.sleep(_PAUSE_S)
    return answer


def until_found(
    connection: Connection,
    query: str,
    values: Sequence[object] = (),
    *,
    rows: int = 1,
    running: "subprocess.Popen[Any] | None" = None,
) -> list[Row]:
    """Ask a query until it finds so many rows, or more. Returns them."""

    def found() -> list[Row]:
        answer = connection.execute(query.encode(), list(values)).fetchall()
        return answer if len(answer) >= rows else []

    return until(found, running)


def until_gone(
    connection: Connection,
    query: str,
    values: Sequence[object] = (),
    running: "subprocess.Popen[Any] | None" = None,
) -> None:
    """Ask a query until it finds nothing."""
    until(lambda: not connection.execute(query.encode(), list(values)).rowcount, running)


def reload(dsn: str) -> None:
    """Let a server read its settings and rules again, and wait until sessions begin with them."""

    def loaded_at() -> object:
        with psycopg.connect(dsn) as connection:
            return connection.execute("SELECT pg_conf_load_time()").fetchall()

    before = loaded_at()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SELECT pg_reload_conf()")
    until(lambda: loaded_at() != before)
