"""Making the roles, on a server that has none: as superuser, as a lesser role, or not at all."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from etl import folders
from etl.db import Connection, Target, connect
from etl.embedded import EmbeddedServer
from tests.conftest import Etl, Ran, run_program, runner, shipped_jobs
from tests.integration.test_load_notes import HEADER, NOTES
from tests.states import own_server
from tests.support import DAY

AS_OF = f"--as-of={DAY}"
ROLES = ["etl_owner", "etl_reader", "etl_runner"]
OWNERS = (
    "SELECT DISTINCT pg_get_userbyid(o.owner) FROM ("
    " SELECT nspowner AS owner, oid AS place FROM pg_namespace UNION ALL"
    " SELECT relowner, relnamespace FROM pg_class UNION ALL"
    " SELECT proowner, pronamespace FROM pg_proc UNION ALL"
    " SELECT typowner, typnamespace FROM pg_type) AS o"
    " JOIN pg_namespace AS n ON n.oid = o.place WHERE n.nspname IN ('etl', 'dwh')"
)


class Cluster:
    """A server whose superuser is called etl."""

    def __init__(self, server: EmbeddedServer, environment: dict[str, str]) -> None:
        self._server = server
        self._environment = environment

    def dsn(self, dbname: str, user: str = "etl") -> str:
        host = conninfo_to_dict(self._server.target.dsn)["host"]
        return make_conninfo(host=str(host), user=user, dbname=dbname)

    def connect(self, dbname: str = "postgres", user: str = "etl") -> Connection:
        """A connection; the caller closes it."""
        return connect(Target.parse(self.dsn(dbname, user)), "tests")

    def etl(self, dbname: str, user: str = "etl") -> Etl:
        """The program on a database, as this login."""
        return runner({**self._environment, "ETL_DSN": self.dsn(dbname, user)})

    def psql(self, dbname: str, file: Path) -> Ran:
        """Run a file as a DBA does."""
        options = ("-X", "-v", "ON_ERROR_STOP=1", "-d", self.dsn(dbname), "-f", file)
        return run_program(self._server.binary("psql"), *options)

    def roles(self) -> list[str]:
        with self.connect() as connection:
            found = connection.execute(
                "SELECT rolname FROM pg_roles WHERE rolname LIKE 'etl\\_%' ORDER BY 1"
            )
            return [str(name) for (name,) in found]

    def owners(self, dbname: str) -> list[str]:
        with self.connect(dbname) as connection:
            return [str(name) for (name,) in connection.execute(OWNERS.encode())]


@pytest.fixture(scope="module")
def fresh_server() -> Generator[EmbeddedServer]:
    """A server of these tests' own: roles belong to all databases of a server."""
    with own_server() as server:
        with connect(server.target, "tests") as connection:
            connection.execute("CREATE ROLE lead LOGIN CREATEROLE")
            connection.execute("CREATE ROLE plain LOGIN")
        yield server


@pytest.fixture
def cluster(fresh_server: EmbeddedServer, environment: dict[str, str]) -> Generator[Cluster]:
    """That server with three empty databases, of superuser, lead and plain, and no roles."""
    made = Cluster(fresh_server, environment)
    with made.connect() as connection:
        for owner in ("etl", "lead", "plain"):
            connection.execute(f"CREATE DATABASE {owner}_db OWNER {owner}".encode())
        yield made
        for owner in ("etl", "lead", "plain"):
            connection.execute(f"DROP DATABASE {owner}_db WITH (FORCE)".encode())
        for role in ("nightly", *ROLES):
            connection.execute(f"DROP ROLE IF EXISTS {role}".encode())


def use(etl: Etl, tmp_path: Path) -> Ran:
    """Load and refresh three users."""
    (tmp_path / "notes.csv").write_text(HEADER + NOTES)
    etl("load-notes", tmp_path / "notes.csv").ended(0)
    return etl("datamart-users", AS_OF, "--json")


def test_without_roles_everything_belongs_to_whoever_ran_init(
    cluster: Cluster, tmp_path: Path
) -> None:
    etl = cluster.etl("plain_db", "plain")
    first = etl("init")
    assert (first.status, first.err) == (0, "")
    hint = (
        "no rights granted, missing roles: etl_owner, etl_runner, etl_reader"
        " ('etl init --with-roles' makes them)"
    )
    assert first.out.splitlines()[-1] == hint
    second = etl("init").out.splitlines()
    assert (second[0].startswith("nothing to do"), second[1:]) == (True, [hint])
    assert etl("init", "--json").record["roles_missing"] == [
        "etl_owner", "etl_runner", "etl_reader",
    ]  # fmt: skip
    assert use(etl, tmp_path).record["done"] == 3
    assert cluster.owners("plain_db") == ["plain"]
    assert cluster.roles() == []


@pytest.mark.parametrize("login", ["etl", "lead"])
def test_init_makes_the_roles_and_acts_as_the_owner(
    cluster: Cluster, tmp_path: Path, login: str
) -> None:
    etl = cluster.etl(f"{login}_db", login)
    ran = etl("init", "--with-roles")
    assert (ran.status, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[:3] == [f"made  role {role}" for role in ("etl_owner", "etl_runner", "etl_reader")]
    assert "granted  datamart_users: grants/etl_runner.sql" in lines
    assert cluster.owners(f"{login}_db") == ["etl_owner"]
    with cluster.connect(f"{login}_db") as connection:
        connection.execute("CREATE ROLE nightly LOGIN IN ROLE etl_runner")
        by = connection.execute("SELECT DISTINCT applied_by FROM etl.applied_file").fetchall()
    assert by == [(login,)]
    assert use(cluster.etl(f"{login}_db", "nightly"), tmp_path).record["done"] == 3
    again = etl("init", "--with-roles")
    assert (again.status, again.out.startswith("nothing to do")) == (0, True)


def test_roles_made_after_the_first_init_get_their_rights_and_the_owner_stays(
    cluster: Cluster, tmp_path: Path
) -> None:
    etl = cluster.etl("lead_db", "lead")
    assert etl("init").status == 0
    report = etl("init", "--with-roles", "--json").record
    assert sorted(report["roles_made"]) == ROLES
    assert (report["applied"], len(report["granted"])) == ([], 2 + 2 * len(shipped_jobs()))
    assert cluster.owners("lead_db") == ["lead"]
    with cluster.connect() as connection:
        connection.execute("CREATE ROLE nightly LOGIN IN ROLE etl_runner")
    assert use(cluster.etl("lead_db", "nightly"), tmp_path).record["done"] == 3
    assert etl("init").out.startswith("nothing to do")


def test_a_dba_runs_the_file_in_psql_and_somebody_else_runs_init(cluster: Cluster) -> None:
    file = folders.sql_folder() / "roles" / "create_roles.sql"
    for _ in range(2):
        done = cluster.psql("etl_db", file)
        assert (done.status, done.err) == (0, "")
    with cluster.connect() as connection:
        connection.execute("CREATE ROLE nightly LOGIN IN ROLE etl_owner")
    assert cluster.etl("etl_db", "nightly")("init").status == 0
    assert cluster.owners("etl_db") == ["etl_owner"]


@pytest.mark.parametrize(
    ("dbname", "login", "said"),
    [
        ("plain_db", "plain", "permission denied to create role"),
        ("plain_db", "lead", "lead may not let etl_owner create schemas in database plain_db"),
    ],
)
def test_who_may_not_make_the_roles_is_told_and_nothing_is_done(
    cluster: Cluster, dbname: str, login: str, said: str
) -> None:
    ran = cluster.etl(dbname, login)("init", "--with-roles")
    assert (ran.status, said in ran.err, ran.out) == (2, True, ""), ran.err
    assert "Traceback" not in ran.err
    assert cluster.roles() == []
    assert cluster.owners(dbname) == []


def test_a_dry_run_says_what_it_would_do_and_does_nothing(cluster: Cluster) -> None:
    ran = cluster.etl("etl_db")("init", "--with-roles", "--dry-run")
    assert "would make  role etl_runner\n" in ran.out
    assert "would apply  etl: schema/0001_ledger.sql\n" in ran.out
    assert "would grant  datamart_users: grants/etl_runner.sql\n" in ran.out
    assert cluster.roles() == []
    assert cluster.owners("etl_db") == []


def test_many_at_once_in_two_databases_make_each_role_once(cluster: Cluster) -> None:
    with cluster.connect() as connection:
        connection.execute("ALTER DATABASE etl_db OWNER TO lead")
    with ThreadPoolExecutor() as threads:
        every = [cluster.etl(dbname, "lead") for dbname in ("etl_db", "lead_db") * 4]
        started = [threads.submit(etl, "init", "--with-roles", "--json") for etl in every]
    ended = [ran.result() for ran in started]
    assert [(ran.status, ran.err) for ran in ended] == [(0, "")] * 8
    assert sum(len(ran.record["granted"]) for ran in ended) == 2 * (2 + 2 * len(shipped_jobs()))
    assert cluster.roles() == ROLES
    assert cluster.owners("etl_db") == cluster.owners("lead_db") == ["etl_owner"]
