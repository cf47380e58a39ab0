"""Makes a fault of the plan happen to a cycle that runs."""

import os
import random
import signal
from collections.abc import Callable
from datetime import UTC, datetime

from tests.chaos.cycle import ChaosCycle
from tests.chaos.plan import CRASHES, OUTAGES, Fault, Kind
from tests.chaos.warehouse import Warehouse
from tests.faults.proxy import Proxy
from tests.faults.servers import OwnServer

_SESSIONS = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
    " AND application_name LIKE $1 ORDER BY application_name, pid"
)
_WORKERS, _SUPERVISOR = "etl:datamart-users w%", "etl:datamart-users"


class Faults:
    """Everything that can go wrong here."""

    def __init__(self, server: OwnServer, proxy: Proxy, warehouse: Warehouse) -> None:
        self._server = server
        self._proxy = proxy
        self._warehouse = warehouse
        self.crashes: list[tuple[datetime, datetime]] = []
        self.losses: list[tuple[datetime, datetime]] = []
        self._ways: dict[Kind, Callable[[Fault, ChaosCycle], bool]] = {
            Kind.KILL_WORKER: self._kill_worker,
            Kind.KILL_SUPERVISOR: _kill_supervisor,
            Kind.KILL_ALL: _kill_all,
            Kind.SIGNAL: _send,
            Kind.TERMINATE_WORKER: lambda f, _: self._by_sql("terminate", _WORKERS, f.which),
            Kind.TERMINATE_SUPERVISOR: lambda f, _: self._by_sql("terminate", _SUPERVISOR, f.which),
            Kind.CANCEL_WORKER: lambda f, _: self._by_sql("cancel", _WORKERS, f.which),
            Kind.KILL_BACKEND: lambda f, _: self._kill_backend(f.which),
            Kind.RESTART_FAST: lambda _f, _: self._restart(is_crash=False),
            Kind.RESTART_IMMEDIATE: lambda _f, _: self._restart(is_crash=True),
            Kind.CUT: lambda f, _: self._proxy.cut(is_reset=f.which % 2 == 0) > 0,
            Kind.LOAD: self._load,
            Kind.MARK: self._load,
            Kind.ROLL_BACK: self._load,
        }

    def inflict(self, fault: Fault, cycle: ChaosCycle) -> bool:
        """Make it happen. Returns whether there was anything for it to hit."""
        self._server.wait_until_up()
        begun_at = datetime.now(UTC)
        has_hit = self._ways[fault.kind](fault, cycle)
        if has_hit:
            cycle.faults.append(fault)
        during = (begun_at, datetime.now(UTC))
        if has_hit and fault.kind in CRASHES:
            self.crashes.append(during)
        if has_hit and fault.kind in (*OUTAGES, Kind.CUT):
            self.losses.append(during)
        return has_hit

    def _kill_worker(self, fault: Fault, cycle: ChaosCycle) -> bool:
        workers = cycle.workers()
        if not workers:
            return False
        return _kill(workers[fault.which % len(workers)])

    def _by_sql(self, verb: str, name: str, which: int) -> bool:
        with self._warehouse.connect() as connection:
            found = connection.execute(_SESSIONS, [name]).fetchall()
            if not found:
                return False
            (pid,) = found[which % len(found)]
            sent = connection.execute(f"SELECT pg_{verb}_backend($1)".encode(), [pid]).fetchone()
        return sent == (True,)

    def _kill_backend(self, which: int) -> bool:
        with self._warehouse.connect() as connection:
            found = connection.execute(_SESSIONS, [_WORKERS]).fetchall()
        if not found:
            return False
        return self._server.kill_backend(found[which % len(found)][0])

    def _restart(self, *, is_crash: bool) -> bool:
        self._server.restart("immediate" if is_crash else "fast")
        return True

    def _load(self, fault: Fault, cycle: ChaosCycle) -> bool:
        """Change users, those in hand among them, and end the transaction some claims later."""
        others = random.Random(fault.which).sample(self._warehouse.users, 3)  # noqa: S311
        users = sorted({*cycle.last_keys(), *others})
        facts = 0
        with self._warehouse.connect() as connection:
            connection.execute("BEGIN")
            if fault.kind is Kind.MARK:
                connection.execute(
                    "UPDATE dwh.dimension_users SET modified = TRUE"
                    " WHERE dimension_user_id = ANY ($1)",
                    [users],
                )
            else:
                facts = self._warehouse.add_facts(connection, users)
            cycle.wait_for_claims(fault.hold)
            if fault.kind is Kind.ROLL_BACK:
                connection.execute("ROLLBACK")
            else:
                connection.execute("COMMIT")
                self._warehouse.facts += facts
        return True


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def _kill_supervisor(_fault: Fault, cycle: ChaosCycle) -> bool:
    return cycle.process.poll() is None and _kill(cycle.process.pid)


def _kill_all(_fault: Fault, cycle: ChaosCycle) -> bool:
    if cycle.process.poll() is not None:
        return False
    os.kill(cycle.process.pid, signal.SIGSTOP)  # it must not see them die
    for pid in cycle.workers():
        _kill(pid)
    return _kill(cycle.process.pid)


def _send(fault: Fault, cycle: ChaosCycle) -> bool:
    if cycle.process.poll() is not None:
        return False
    for _ in range(fault.times):
        cycle.process.send_signal(fault.signal_number)
    return True
