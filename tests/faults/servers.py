"""A PostgreSQL server of a test's own, which it may restart, kill and suspend."""

import os
import shutil
import signal
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from etl.db import Connection, Target, connect
from etl.embedded import EmbeddedServer, binaries
from tests.conftest import RUNNER, load_schema
from tests.waiting import reload, until

Mode = Literal["fast", "immediate"]
_TEMPLATE = "outage_template"


class OwnServer:
    """A server with an own state folder; it runs while entered, and is gone afterwards.

    Args:
        settings: Settings of the server beside the usual ones.
    """

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        self._state = Path(tempfile.mkdtemp(prefix="etl-outage-"))
        self._server = EmbeddedServer.of(self._state, os.environ)
        self._settings = {"fsync": "off", **(settings or {})}
        self._suspended: set[int] = set()
        self._databases = 0
        self.folder = str(conninfo_to_dict(self._server.target.dsn)["host"])

    def __enter__(self) -> "OwnServer":
        self._server.start()
        with self.maintenance() as connection:
            connection.execute(f"CREATE DATABASE {_TEMPLATE}".encode())
        for name, value in self._settings.items():
            self.set(name, value)
        self.restart("fast")
        load_schema(host=self.folder, port=5432, user="etl", dbname=_TEMPLATE)
        with self.maintenance() as connection:
            connection.execute(f"CREATE ROLE {RUNNER} LOGIN IN ROLE etl_runner".encode())
        return self

    def __exit__(self, *_: object) -> None:
        self.resume_all()
        self._ctl("stop", "-m", "immediate")
        shutil.rmtree(self._server.home, ignore_errors=True)
        shutil.rmtree(self._state, ignore_errors=True)

    @property
    def socket(self) -> Path:
        return Path(self.folder) / ".s.PGSQL.5432"

    @property
    def version(self) -> int:
        return int((self._server.version() or "0").split(".")[0].split()[0])

    def dsn(self, dbname: str, user: str = "etl") -> str:
        """Connection string of one of its databases, as superuser or as another login."""
        return make_conninfo(host=self.folder, port=5432, user=user, dbname=dbname)

    def maintenance(self) -> "psycopg.Connection[tuple[object, ...]]":
        """A connection for what concerns the whole server."""
        return psycopg.connect(self.dsn("postgres"), autocommit=True)

    def new_database(self) -> str:
        """Make a database as `etl init` leaves it. Returns its name."""
        self._databases += 1
        name = f"outage{self._databases}"
        with self.maintenance() as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}".encode())
        return name

    def set(self, name: str, value: str) -> None:
        """Change a setting, at once where the server can do that."""
        with self.maintenance() as connection:
            connection.execute(f"ALTER SYSTEM SET {name} = '{value}'".encode())
        reload(self.dsn("postgres"))

    def trust(self, address: str) -> None:
        """Let anybody in from an address."""
        with (self._server.data / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {address} trust\n")
        reload(self.dsn("postgres"))

    def connect(self, dbname: str) -> Connection:
        """Connect to one of its databases as superuser, otherwise as the program does."""
        connected = connect(Target.parse(self.dsn(dbname)), "tests")
        # It is called etl, and "$user" comes first: tables would end up in the ledger's schema.
        connected.execute("SET search_path = public")
        return connected

    def restart(self, mode: Mode) -> None:
        """Stop and start it; returns when it takes connections again."""
        log = str(self._server.log)
        done = self._ctl("restart", "-m", mode, "-w", "-l", log)
        assert done == 0, self._server.log.read_text()

    def stop(self, mode: Mode) -> None:
        """Stop it until it is started again."""
        assert self._ctl("stop", "-m", mode, "-w") == 0

    def start(self) -> None:
        """Start it again where it is down; returns when it takes connections."""
        self._server.start()

    def kill_backend(self, pid: int) -> bool:
        """SIGKILL one server process: the server ends all others and recovers.

        Returns:
            Whether it was there; the server takes connections again by then.
        """
        with self.maintenance() as witness:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                return False
            while not witness.closed:
                with suppress(psycopg.OperationalError):  # it is ended with the others
                    witness.execute("SELECT")
        self.wait_until_up()
        return True

    def suspend(self, pid: int) -> None:
        self._suspended.add(pid)
        os.kill(pid, signal.SIGSTOP)

    def resume_all(self) -> None:
        for pid in self._suspended:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                continue  # it was killed meanwhile
        self._suspended.clear()

    def wait_until_up(self) -> None:
        """Wait until it takes connections, after a crash."""
        until(self._server.version)

    def _ctl(self, command: str, *arguments: str) -> int:
        program = self._server.binary("pg_ctl")
        return binaries.run(program, command, "-D", str(self._server.data), *arguments).returncode
