"""The server on which all bars are measured, and the programs that are run on it.

Both sides of each comparison use the same server, the same settings and the same login.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from etl.db import Connection, Target, connect
from etl.deploy import roles
from etl.embedded import EmbeddedServer
from tests.conftest import RUNNER, load_schema, surroundings

SETTINGS: Mapping[str, str] = {
    "shared_buffers": "1GB",
    "effective_cache_size": "4GB",
    "max_wal_size": "4GB",
    "maintenance_work_mem": "256MB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
}
"""As a server for this work would be set up; fsync, full_page_writes and autovacuum are on."""
JOBS = Path(__file__).parent / "jobs"
EMPTY = "bench_empty"
"""A database as `etl init` leaves it."""


class CommandError(Exception):
    """A program that a bar runs has failed; the message ends with what it said."""


class Server:
    """An embedded server of the benchmark's own; it runs while entered, and is gone afterwards."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="etl-bench-"))
        """For files of the bars; also the state folder of `etl`."""
        self._server = EmbeddedServer.of(self.folder, os.environ)
        self._host = str(conninfo_to_dict(self._server.target.dsn)["host"])
        self._made: set[str] = set()
        self._copies = count(1)

    def __enter__(self) -> "Server":
        self._server.start()
        for name, value in SETTINGS.items():
            self.set(name, value)
        self._server.stop()
        self._server.start()
        with self.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {EMPTY}".encode())
        load_schema(host=self._host, port=5432, user="etl", dbname=EMPTY)
        with self.connect("postgres") as connection:
            connection.execute(f"CREATE ROLE {RUNNER} LOGIN IN ROLE etl_runner".encode())
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        shutil.rmtree(self._server.home, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def said(self) -> str:
        shown = ", ".join(f"{name} = {value}" for name, value in SETTINGS.items())
        return f"PostgreSQL {self._server.version()}, {shown}"

    def set(self, name: str, value: str | None) -> None:
        """Change a setting of the server; None: back to what it was at the beginning."""
        change = f"RESET {name}" if value is None else f"SET {name} = '{value}'"
        with self.connect("postgres") as connection:
            connection.execute(f"ALTER SYSTEM {change}".encode())
            connection.execute("SELECT pg_reload_conf()")

    def dsn(self, database: str, user: str = RUNNER) -> str:
        """Connection string of a database, as the login of the program or another one."""
        return make_conninfo(host=self._host, user=user, dbname=database)

    def connect(self, database: str, user: str = "etl") -> Connection:
        """A connection, as superuser unless said otherwise."""
        return connect(Target.parse(self.dsn(database, user)), "bench")

    def database(self, name: str, fill: Callable[[str], None] | None = None) -> str:
        """The database of this name; made from the empty one, and filled, if it is not there."""
        if name not in self._made:
            with self.connect("postgres") as connection:
                connection.execute(f"CREATE DATABASE {name} TEMPLATE {EMPTY}".encode())
            self._made.add(name)
            try:
                with self.connect(name) as connection:
                    roles.create(connection)  # a template's rights are not copied with it
                if fill is not None:
                    fill(name)
            except BaseException:
                self.drop(name)
                raise
        return name

    def copy(self, template: str) -> str:
        """A new copy of a database, on disk. Returns its name."""
        name = f"{template}_{next(self._copies)}"
        with self.connect("postgres") as connection:
            made = f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy"
            connection.execute(made.encode())
            connection.execute("CHECKPOINT")
        with self.connect(name) as connection:
            roles.create(connection)  # a template's rights are not copied with it
        return name

    def drop(self, name: str) -> None:
        with self.connect("postgres") as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
        self._made.discard(name)

    def environment(self, database: str, user: str = RUNNER) -> dict[str, str]:
        """Of `etl` on a database, with nothing of the surrounding settings."""
        own = {
            "ETL_STATE_DIR": str(self.folder),
            "ETL_JOBS_DIR": str(JOBS),
            "ETL_DSN": self.dsn(database, user),
        }
        return surroundings() | own

    def etl(self, database: str, *arguments: str | Path, user: str = RUNNER) -> str:
        """Run the program as a user does. Returns its standard output."""
        return run([*etl_command(), *arguments], self.environment(database, user))

    def cycle(self, database: str, job: str, *arguments: str) -> dict[str, Any]:
        """Run one cycle over all there is. Returns the object with which it ends."""
        out = self.etl(database, job, "--json", *arguments)
        return dict(json.loads(out.splitlines()[-1]))

    def psql(self, database: str, *arguments: str | Path) -> str:
        """Run psql as superuser. Returns its standard output."""
        options = ["-qAtX", "-v", "ON_ERROR_STOP=1", "-d", self.dsn(database, "etl")]
        return run([self.program("psql"), *options, *arguments])

    def program(self, name: str) -> Path:
        return self._server.binary(name)


def etl_command() -> list[str | Path]:
    """The installed program, as a user types it."""
    script = Path(sys.executable).with_name("etl")
    return [script] if script.exists() else [sys.executable, "-m", "etl"]


def run(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> str:
    """Run a program. Returns its standard output.

    Raises:
        CommandError: It has failed.
    """
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        env=environment,
    )  # fmt: skip
    if done.returncode != 0:
        raise CommandError(
            f"{' '.join(map(str, command[:3]))} exits with {done.returncode}: {done.stderr[-2000:]}"
        )
    return done.stdout
