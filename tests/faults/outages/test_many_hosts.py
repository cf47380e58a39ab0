"""Several hosts that share a cycle: each in a network of its own, killed, cut off, out of date."""

import shutil
import subprocess
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from etl.db import Connection
from etl.folders import sql_folder
from tests.conftest import RUNNER, Connect, Ran
from tests.faults.conftest import AS_OF, wait_until_at_gate
from tests.faults.outages.conftest import Cycles
from tests.faults.outages.hosts import ADDRESSES, ARGUMENTS, CREW, Host, ahead_of_time, two_hosts
from tests.faults.servers import OwnServer
from tests.gates import GATE, open_gate, put_gate, shut_gate
from tests.support import dirty, user_ids
from tests.waiting import until

_SECOND_GATE = 43
AT_GATE = "SELECT count(*) = 1 FROM pg_locks WHERE NOT granted AND objid = %d"
_ATTEMPTS = """
SELECT worker, outcome, count(*)::integer FROM etl.attempt GROUP BY worker, outcome
ORDER BY worker, outcome
"""


@pytest.fixture(scope="module")
def hosts() -> Generator[tuple[Host, Host]]:
    """Two hosts, each with its cable to where the server listens."""
    with two_hosts() as both:
        yield both


@pytest.fixture(scope="module")
def server(hosts: tuple[Host, Host]) -> Generator[OwnServer]:
    """A server that listens there, and trusts these addresses."""
    addresses = ",".join(server for server, _ in ADDRESSES)
    with OwnServer({"listen_addresses": addresses}) as server:
        for _, client in ADDRESSES:
            server.trust(f"{client}/32")
        yield server


@pytest.fixture
def environments(
    hosts: tuple[Host, Host], environment: dict[str, str], database: str, tmp_path: Path
) -> Generator[list[dict[str, str]]]:
    """What the program is told on each of them: another state folder, another address."""
    yield [
        {
            **environment,
            "ETL_STATE_DIR": str(tmp_path / host.name),
            "ETL_DSN": make_conninfo(
                host=host.server, port=5432, user=RUNNER, dbname=database, connect_timeout=3
            ),
            "HOST_TIMEOUT": "3s",
        }
        for host in hosts
    ]
    for host in hosts:
        host.end()
        host.plug_in()


Started = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def cycle_on_a(hosts: tuple[Host, Host], environments: list[dict[str, str]]) -> Started:
    """Starts a cycle on the first host."""
    return lambda *more, **also: hosts[0].start(environments[0], *(more or ARGUMENTS), **also)


@pytest.fixture
def crew_on_b(hosts: tuple[Host, Host], environments: list[dict[str, str]]) -> Started:
    """Starts a crew on the second one."""
    return lambda *more, **also: hosts[1].start(environments[1], *(more or CREW), **also)


@pytest.fixture
def second_gate(gate: Connection, connect_again: Connect) -> Connection:
    """Keeps the refresh of user0, the first in the queue, waiting in the same way."""
    keeper = connect_again()
    shut_gate(keeper, _SECOND_GATE)
    first = f"NEW.dimension_user_id = {user_ids(gate)['user0']}"
    put_gate(gate, "dwh.datamart_users", first, name="wait_outside", key=_SECOND_GATE)
    return keeper


def end(run: "subprocess.Popen[str]") -> Ran:
    """Wait for it. Returns how it ended."""
    out, err = run.communicate(timeout=120)
    return Ran(run.returncode, out, err)


def wait_until(connection: Connection, question: str) -> None:
    until(lambda: connection.execute(question.encode()).fetchall()[0][0])


def test_two_hosts_share_a_cycle_whatever_their_clocks_say(
    cycle_on_a: Started, crew_on_b: Started, gate: Connection, cycles: Cycles
) -> None:
    cycle = cycle_on_a()
    wait_until_at_gate(gate)
    crew = crew_on_b(**ahead_of_time())
    wait_until(gate, "SELECT count(*) = 3 FROM etl.attempt WHERE worker = 1001")
    open_gate(gate)
    assert [one["done"] for one in end(crew).ended(0).record["cycles"]] == [3]
    end(cycle).ended(0, done=6, remaining=0)
    assert gate.execute(_ATTEMPTS.encode()).fetchall() == [(1, "done", 3), (1001, "done", 3)]
    # Times are the server's: three days would show.
    gate.execute("SELECT 1 / (max(finished_at) < now() + interval '1 hour')::int FROM etl.attempt")
    cycles.assert_the_next_needs_no_clean_up()


def test_a_host_that_is_killed_while_it_runs_the_cycle_leaves_nothing_to_clean_up(
    hosts: tuple[Host, Host], cycle_on_a: Started, crew_on_b: Started, gate: Connection
) -> None:
    cycle_on_a()
    wait_until_at_gate(gate)
    crew = crew_on_b()
    wait_until(gate, "SELECT count(*) = 3 FROM etl.attempt WHERE worker = 1001")
    hosts[0].kill()
    open_gate(gate)
    assert end(crew).ended(0).record["cycles"][0]["done"] in (3, 4)
    end(crew_on_b(*ARGUMENTS)).ended(0, "was cut off")  # the next cycle, on the host that is left
    assert dirty(gate) == set()
    rows = gate.execute(
        "SELECT found = done + failed + busy + orphaned + remaining, failed + orphaned"
        " FROM etl.cycle"
    ).fetchall()
    assert rows == [(True, 0)] * 2
    done = gate.execute("SELECT count(*), count(DISTINCT item_key) FROM etl.attempt").fetchall()
    assert done == [(6, 6)]  # nobody twice
    assert gate.execute("SELECT FROM etl.queue_item").rowcount == 0


def test_the_item_of_a_host_that_is_cut_off_goes_to_another_one(
    hosts: tuple[Host, Host],
    cycle_on_a: Started,
    crew_on_b: Started,
    gate: Connection,
    second_gate: Connection,
) -> None:
    cycle = cycle_on_a()
    wait_until(gate, AT_GATE % _SECOND_GATE)
    crew_on_b()
    wait_until(gate, AT_GATE % GATE)
    lost = wait_at(gate)
    hosts[1].pull_the_plug()
    open_gate(second_gate, _SECOND_GATE)
    until(lambda: wait_at(gate) not in (None, lost), cycle)  # the server has given it up
    open_gate(gate)
    end(cycle).ended(0, done=6, orphaned=0)
    assert gate.execute(_ATTEMPTS.encode()).fetchall() == [(1, "done", 5), (1001, "done", 1)]


def test_a_cycle_that_takes_over_lets_the_crews_of_the_one_before_finish(
    hosts: tuple[Host, Host],
    cycle_on_a: Started,
    crew_on_b: Started,
    gate: Connection,
    second_gate: Connection,
) -> None:
    cycle_on_a()
    wait_until(gate, AT_GATE % _SECOND_GATE)
    crew = crew_on_b()
    wait_until(gate, AT_GATE % GATE)
    hosts[0].kill()
    after = cycle_on_a()
    wait_until(gate, "SELECT bool_and(is_closing) FROM etl.queue")
    open_gate(gate)
    end(crew).ended(0)
    open_gate(second_gate, _SECOND_GATE)
    # Whom the dead worker had in hand is held; user1 and user2 were done by the crew.
    end(after).ended(0, failed=0)
    by_crew = gate.execute(
        "SELECT d.username, a.outcome FROM etl.attempt AS a"
        " JOIN dwh.dimension_users AS d ON CAST(d.dimension_user_id AS text) = a.item_key"
        " WHERE a.worker = 1001 ORDER BY 1 LIMIT 2"
    ).fetchall()
    assert by_crew == [("user1", "done"), ("user2", "done")]


def wait_at(gate: Connection) -> int | None:
    """The server process that waits at the gate, if any."""
    row = gate.execute(
        "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = $1",
        [GATE],
    ).fetchone()
    return None if row is None else int(row[0])


def test_a_network_that_swallows_everything_is_noticed_and_waited_for(
    hosts: tuple[Host, Host],
    cycle_on_a: Started,
    environments: list[dict[str, str]],
    gate: Connection,
    cycles: Cycles,
) -> None:
    patience = "tcp_user_timeout=1000 keepalives_idle=1 keepalives_interval=1 connect_timeout=2"
    dsn = f"{environments[0]['ETL_DSN']} {patience}"
    run = cycle_on_a("datamart-users", AS_OF, "--json", "--workers=1", ETL_DSN=dsn)
    backend = wait_until_at_gate(gate)
    hosts[0].pull_the_plug()
    until(lambda: not hosts[0].connections(), run)  # the kernel has given them up
    hosts[0].plug_in()
    gate.execute("SELECT pg_terminate_backend($1)", [backend])
    ran = end(run)
    open_gate(gate)
    ran.ended(1, done=5, failed=1, orphaned=0)
    assert dirty(gate) == {"user2"}
    cycles.assert_the_next_needs_no_clean_up()


def test_a_host_with_other_files_of_the_job_is_refused(
    cycle_on_a: Started, crew_on_b: Started, gate: Connection, tmp_path: Path
) -> None:
    folders = [tmp_path / name / "quick_users" for name in ("here", "there")]
    for folder in folders:
        shutil.copytree(sql_folder() / "jobs" / "datamart_users", folder)
        for name in ("schema", "procedures"):  # the database has them already
            shutil.rmtree(folder / name)
    process = folders[1] / "process.sql"
    process.write_text(process.read_text() + "-- of another version\n")
    of_quick = ("quick-users", *ARGUMENTS[1:])
    cycle = cycle_on_a(*of_quick, ETL_JOBS_DIR=str(folders[0].parent))
    wait_until_at_gate(gate)
    crew = crew_on_b("worker", "quick-users", ETL_JOBS_DIR=str(folders[1].parent))
    end(crew).ended(2, f"etl: {process} is not that of the host that runs the cycle")
    open_gate(gate)
    end(cycle).ended(0)
