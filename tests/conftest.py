"""Real servers for all tests: one PostgreSQL for the session, a database for each test.

The server is the project's own embedded one, in a folder of its own. ``ETL_PG_BIN`` makes it
another PostgreSQL: ``ETL_PG_BIN=/usr/lib/postgresql/15/bin make test``.

The program runs as it should in production: on a database of `etl init` as a login that is a
member of etl_runner and nothing else, on an empty one as a member of etl_owner. Only what the
tests do to a database themselves, such as making triggers, they do as a superuser.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pytest_postgresql import factories

from etl import folders, job
from etl.db import Connection, Target, connect
from etl.deploy import roles
from etl.job import Job
from tests import starter
from tests.states import own_server
from tests.support import install
from tests.tally import Tally

REPOSITORY = starter.REPOSITORY
RUNNER = "nightly"
"""Login of the program."""
DEPLOYER = "deployer"
"""Login of `etl init`."""
READER = "analyst"
"""Login of somebody who reads."""


@dataclass(frozen=True)
class Address:
    """Where the session's server is, in pytest-postgresql's words."""

    host: str
    port: int = 5432
    user: str = "etl"
    password: str | None = None
    options: str = ""
    maintenance_dbname: str = "postgres"
    template_dbname: str = "template1"

    def dsn(self, dbname: str = "postgres", user: str | None = None) -> str:
        """Connection string of a database, as superuser or as another login."""
        return make_conninfo(host=self.host, port=self.port, user=user or self.user, dbname=dbname)


@pytest.fixture(scope="session")
def server_address() -> Generator[Address]:
    """A PostgreSQL server that lives as long as the tests."""
    with own_server() as server:
        with connect(server.target, "tests") as connection:
            roles.create(connection)
            connection.execute("CREATE ROLE nightly LOGIN IN ROLE etl_runner")
            connection.execute("CREATE ROLE deployer LOGIN IN ROLE etl_owner")
            connection.execute("CREATE ROLE analyst LOGIN IN ROLE etl_reader")
            # What survives a crash of the machine is not what these tests are about.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("ALTER SYSTEM SET full_page_writes = off")
            connection.execute("SELECT pg_reload_conf()")
        yield Address(host=str(conninfo_to_dict(server.target.dsn)["host"]))


def shipped_job() -> Job:
    """The job that this project is about."""
    return job.load(folders.sql_folder() / "jobs" / "datamart_users")


def shipped_jobs() -> list[Job]:
    """All that are shipped."""
    return [job.load(path) for path in job.job_paths([folders.sql_folder() / "jobs"])]


def at(**address: Any) -> Connection:
    """A connection to where pytest-postgresql, or a server, says a database is."""
    names = ("host", "port", "user", "dbname")
    dsn = make_conninfo(**{name: str(address[name]) for name in names})
    return connect(Target.parse(dsn), "tests")


def load_schema(**address: Any) -> None:
    """Make a database as `etl init --with-roles` leaves it."""
    with at(**address) as connection:
        install(connection, shipped_jobs())


bare_server = factories.postgresql_noproc(depends_on="server_address", dbname="bare")
bare_database = factories.postgresql("bare_server")
schema_server = factories.postgresql_noproc(
    depends_on="server_address", dbname="etl_test", load=[load_schema]
)
schema_database = factories.postgresql("schema_server")


def _dsn(connection: "psycopg.Connection[Any]", user: str) -> str:
    info = connection.info
    return make_conninfo(host=info.host, port=info.port, user=user, dbname=info.dbname)


@pytest.fixture
def bare_dsn(bare_database: "psycopg.Connection[Any]", server_address: Address) -> str:
    """A database with nothing in it but the rights of the roles, as a member of the owner."""
    with connect(Target.parse(_dsn(bare_database, server_address.user)), "tests") as connection:
        roles.create(connection)
    return _dsn(bare_database, DEPLOYER)


@pytest.fixture
def dsn(schema_database: "psycopg.Connection[Any]") -> str:
    """A database as `etl init` leaves it, as a member of etl_runner."""
    return _dsn(schema_database, RUNNER)


@pytest.fixture
def connection(dsn: str, server_address: Address) -> Generator[Connection]:
    """A superuser's connection to the test's database, in autocommit."""
    with connect(Target.parse(f"{dsn} user={server_address.user}"), "tests") as connected:
        # It is called etl, and "$user" comes first: tables would end up in the ledger's schema.
        connected.execute("SET search_path = public")
        yield connected


Connect = Callable[[], Connection]
"""Makes one more connection."""


@pytest.fixture
def connect_again(dsn: str) -> Generator[Connect]:
    """More connections to the test's database, as the runner: rivals."""
    opened: list[Connection] = []

    def another() -> Connection:
        opened.append(connect(Target.parse(dsn), "rival"))
        return opened[-1]

    yield another
    for one in opened:
        one.close()


class Ran(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def record(self) -> Any:
        """The JSON that it has printed."""
        return json.loads(self.out)

    def ended(self, status: int, *said: str, **record: object) -> "Ran":
        """Itself, which must have ended so.

        Args:
            status: Its exit status.
            said: Words on standard error; never a traceback.
            record: What the object that it has printed must hold.
        """
        assert self.status == status, self.err
        assert "Traceback" not in self.err
        for words in said:
            assert words in self.err
        return self.told(**record) if record else self

    def told(self, **record: object) -> "Ran":
        """Itself, which must have printed an object that holds this."""
        assert {name: self.record[name] for name in record} == record, self.err
        return self


Etl = Callable[..., Ran]


def clear(ran: Ran, status: int, *said: str) -> bool:
    """Whether a command ended with one error that a person understands."""
    return bool(ran.ended(status, *said))


def surroundings() -> dict[str, str]:
    """The environment of the tests without any settings of the program."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PG", "ETL_", "MAX_", "CATCHUP_", "XDG_"))
        # The program is started some thousand times: it is compiled once.
        and name != "PYTHONDONTWRITEBYTECODE"
    }


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a command, with nothing of the surrounding settings."""
    kept = surroundings()
    if "ETL_PG_BIN" in os.environ:
        kept["ETL_PG_BIN"] = os.environ["ETL_PG_BIN"]
    return {**kept, "ETL_STATE_DIR": str(tmp_path / "state"), "COLUMNS": "100"}


@pytest.fixture
def etl(environment: dict[str, str], dsn: str) -> Etl:
    """Runs the program as a user does, on the test's database."""
    return runner({**environment, "ETL_DSN": dsn})


@pytest.fixture
def tally(tmp_path: Path, etl: Etl, connection: Connection) -> Tally:
    """A small job, nothing in its table yet."""
    return Tally(tmp_path / "jobs" / "tally", etl, connection)


def run_program(*command: str | Path, **more: Any) -> Ran:
    """Run any program. ``more``: what else `subprocess.run` takes."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    return Ran(done.returncode, done.stdout, done.stderr)


def etl_program(folder: Path) -> Path:
    """Put a program `etl` into a folder, as an installation does."""
    program = folder / "etl"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m etl "$@"\n')
    program.chmod(0o755)
    return program


def runner(environment: dict[str, str], folder: Path = REPOSITORY) -> Etl:
    """Runs the program as a user does, in this environment and folder."""

    def run(*arguments: str | Path, stdin: bytes = b"", **more: str) -> Ran:
        words, known = [*map(str, arguments)], {**environment, **more}
        if folder == REPOSITORY and not stdin:
            status, out, err = starter.run(words, known)
            return Ran(status, out.decode(), err.decode())
        done = subprocess.run(
            [sys.executable, "-m", "etl", *words],
            input=stdin,
            capture_output=True,
            check=False,
            env=known,
            timeout=starter.LONGEST_S,
            cwd=folder,
        )
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run
