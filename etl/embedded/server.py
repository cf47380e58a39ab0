"""A PostgreSQL server of one's own in the state folder, for trying out and for tests.

It listens on a socket in a folder that nobody else can enter, and on no network. It goes on
when the command that started it ends; ``etl server stop`` ends it.
"""

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from etl.db import Target
from etl.embedded import binaries
from etl.errors import DatabaseUnreachableError, StateFolderError
from etl.folders import private_folder

_SOCKET_LIMIT = 107 - len("/.s.PGSQL.5432")
_START_SECONDS = 30
_SETTINGS = """
# Set by etl; later lines win, so add your own below.
listen_addresses = ''
unix_socket_directories = '{socket}'
unix_socket_permissions = 0700
shared_buffers = '256MB'
max_connections = 200
jit = off
timezone = 'UTC'
log_line_prefix = '%m [%p] %a '
"""


@dataclass(frozen=True)
class EmbeddedServer:
    """The server that belongs to a state folder.

    Attributes:
        state: The state folder.
        pg_bin: A folder of PostgreSQL binaries that the user named, or None.
    """

    state: Path
    pg_bin: Path | None = None

    @classmethod
    def of(cls, state: Path, environ: Mapping[str, str]) -> "EmbeddedServer":
        """The server of a state folder, with the binaries that ``ETL_PG_BIN`` may name."""
        named = environ.get("ETL_PG_BIN")
        return cls(state, Path(named) if named else None)

    @property
    def target(self) -> Target:
        """Where to connect to, whether it runs or not."""
        dsn = make_conninfo(host=str(self._socket_folder), user="etl", dbname="etl")
        return Target(dsn, f"the embedded server in {self.home}")

    @cached_property
    def home(self) -> Path:
        """The folder of its data, log and socket."""
        if binaries.server_account() is None:
            return self.state / "server"
        digest = hashlib.sha256(str(self.state).encode()).hexdigest()[:12]
        return binaries.ROOTS_HOME / f"server-{digest}"

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.home / "data"

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self.home / "log"

    @cached_property
    def _socket_folder(self) -> Path:
        folder = self.home / "run"
        if len(os.fsencode(folder)) <= _SOCKET_LIMIT:
            return folder
        # Not where TMPDIR says: that of cron is another one, and the server must be found by all.
        digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
        return Path("/tmp") / f"etl-{os.geteuid()}-{digest}"  # noqa: S108 - private_folder checks it

    def version(self) -> str | None:
        """The version of the running server; None where none answers."""
        return _answer(self.target.dsn)

    def start(self) -> bool:
        """Start it, making its data first where there is none. Safe from many processes at once.

        Returns:
            Whether it had to be started.

        Raises:
            DatabaseUnreachableError: It does not start; the message ends with its log.
        """
        self._make_home()  # before anything connects: its socket could be somebody else's
        if self.version():
            return False
        from filelock import FileLock  # 14 ms that only a start needs

        with FileLock(self.home / "start.lock", mode=0o600):
            if self.version():
                return False
            if not self.data.is_dir():
                self._make_data()
            self._start_postmaster()
            self._make_database()
        return True

    def stop(self) -> bool:
        """Stop it; running statements are rolled back.

        Returns:
            Whether it ran.
        """
        pid_file = self.data / "postmaster.pid"
        try:
            postmaster = int(pid_file.read_text().partition("\n")[0])
            done = self._pg_ctl("stop", "-m", "fast")
            if done.returncode == 0:
                return True
            os.kill(postmaster, 0)
        except (FileNotFoundError, ProcessLookupError):
            return False  # another process has stopped it; or it was killed, and left its file
        raise DatabaseUnreachableError(
            f"the embedded server does not stop: {_last_lines(done.stdout)}", f"Read {self.log}."
        )

    def binary(self, name: str) -> Path:
        """A program of the server's PostgreSQL, such as psql or pgbench."""
        return self._bin / name

    @cached_property
    def _bin(self) -> Path:
        return binaries.bin_folder(self.pg_bin)

    def _pg_ctl(self, action: str, *options: str) -> "subprocess.CompletedProcess[str]":
        return binaries.run(self.binary("pg_ctl"), action, "-D", str(self.data), "-w", *options)

    def _make_home(self) -> None:
        account = binaries.server_account()
        if account is None:
            for folder in (self.state, self.home, self._socket_folder):
                private_folder(folder)
            return
        binaries.ROOTS_HOME.mkdir(mode=0o755, parents=True, exist_ok=True)
        for folder in (self.home, self._socket_folder):
            folder.mkdir(mode=0o700, exist_ok=True)
            if folder.is_symlink() or folder.lstat().st_uid not in (0, account.pw_uid):
                raise StateFolderError(f"{folder} belongs to somebody else", "Remove it.")
            os.chown(folder, account.pw_uid, account.pw_gid)

    def _make_data(self) -> None:
        """initdb into a folder beside, then rename: a killed initdb leaves nothing half done."""
        draft = self.home / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        options = ["-U", "etl", "-E", "UTF8", "--locale=C", "-N", "--auth=trust"]
        done = binaries.run(self.binary("initdb"), "-D", str(draft), *options)
        if done.returncode != 0:
            raise DatabaseUnreachableError(
                f"initdb failed in {self.home}: {_last_lines(done.stdout)}",
                "Name another PostgreSQL by ETL_PG_BIN, or a running server by ETL_DSN.",
            )
        with (draft / "postgresql.conf").open("a") as file:
            file.write(_SETTINGS.format(socket=self._socket_folder))
        draft.rename(self.data)

    def _start_postmaster(self) -> None:
        # After a SIGKILL of the postmaster its children need about 2 s to notice; until then
        # a start fails.
        deadline = time.monotonic() + _START_SECONDS
        while True:
            done = self._pg_ctl("start", "-l", str(self.log), "-s")
            if done.returncode == 0 or _answer(self._maintenance_dsn) is not None:
                return
            log = self.log.read_text(errors="replace") if self.log.exists() else done.stdout
            if "already exists" not in _last_lines(log) or time.monotonic() > deadline:
                raise DatabaseUnreachableError(
                    f"the embedded server does not start: {_last_lines(log)}",
                    f"Read {self.log}, or name a running server by ETL_DSN.",
                )
            time.sleep(0.2)

    @property
    def _maintenance_dsn(self) -> str:
        return make_conninfo(self.target.dsn, dbname="postgres")

    def _make_database(self) -> None:
        with psycopg.connect(self._maintenance_dsn, autocommit=True) as connection:
            found = connection.execute("SELECT FROM pg_database WHERE datname = 'etl'")
            if found.rowcount == 0:
                connection.execute("CREATE DATABASE etl")


def _answer(dsn: str) -> str | None:
    try:
        with psycopg.connect(dsn, connect_timeout=5) as connection:
            row = connection.execute("SHOW server_version").fetchone()
    except psycopg.OperationalError:
        return None
    return str(row[0]) if row else None


def _last_lines(text: str) -> str:
    return " / ".join(text.strip().splitlines()[-3:])
