"""The chaos run: cycle after cycle while the plan is carried out, and the reckoning at the end."""

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from etl.worker.pace import MOST_IN_HAND
from tests.chaos.cycle import ChaosCycle
from tests.chaos.faults import Faults
from tests.chaos.invariants import TICKS, Reckoning, broken_promises, reckon
from tests.chaos.plan import COSTLY, DEADLY, LOADER, OUTAGES, Fault, Kind, draw
from tests.chaos.warehouse import Warehouse
from tests.conftest import RUNNER, Etl, runner, surroundings
from tests.faults.proxy import Proxy
from tests.faults.servers import OwnServer

Tell = Callable[[str], None]

_RUNNING, _FAILED, _QUARANTINED = 75, 1, 3
_DIRTY = "SELECT count(*) FROM dwh.dimension_users WHERE modified"
_HELD = "SELECT count(*) FROM etl.held_item"


@dataclass
class Report:
    """What came of a chaos run.

    Attributes:
        hit: Faults by kind.
        missed: Faults that found nothing to hit, by kind.
        exits: Cycles by exit status.
        rounds: How often everybody was made dirty.
        duration_s: Of all cycles.
        reckoning: Commits against acknowledgements.
        broken: What is wrong; nothing: all invariants hold.
    """

    hit: Counter[Kind] = field(default_factory=Counter[Kind])
    missed: Counter[Kind] = field(default_factory=Counter[Kind])
    exits: Counter[int] = field(default_factory=Counter[int])
    rounds: int = 1
    duration_s: float = 0.0
    reckoning: Reckoning = field(default_factory=Reckoning)
    broken: list[str] = field(default_factory=list[str])


class Chaos:
    """One chaos run.

    Args:
        server: Runs, and keeps the times of commits.
        proxy: In front of it.
        folder: Its own; state and output go there.
        workers: Of each cycle.
        users: Sample users; None: the real notes where there are any.
        tell: Told of what goes on.
        queue: Of each cycle, file or postgres.
    """

    def __init__(
        self,
        server: OwnServer,
        proxy: Proxy,
        folder: Path,
        workers: int,
        users: int | None,
        tell: Tell,
        *,
        queue: str,
    ) -> None:
        self._server = server
        self._workers = workers
        self._tell = tell
        self._folder = folder
        self._state = folder / "state"
        self._warehouse = Warehouse(server, folder, users)
        self._faults = Faults(server, proxy, self._warehouse)
        self._environment = {
            **surroundings(),
            "ETL_STATE_DIR": str(self._state),
            "QUEUE": queue,
            "ETL_DSN": proxy.dsn(self._warehouse.name, RUNNER),
        }
        self._etl: Etl = runner(self._environment)
        self._may_be_locked = False
        self._tick = TICKS[queue]
        self.report = Report()

    def run(self, seed: int, faults: int) -> Report:
        """Carry out the plan of a seed, with so many faults that hit something."""
        report, warehouse = self.report, self._warehouse
        mean = max(5, len(warehouse.users) // faults)
        plan = draw(seed, faults, mean)
        self._tell(f"{warehouse.source}: {len(warehouse.users):,} users, {warehouse.facts:,} facts")
        self._etl("datamart-users", "--as-of=2026-01-16", "--max-users=1")
        while plan:
            self._make_work()
            self._cycle(plan)
        self._drain_undisturbed()
        report.broken += broken_promises(warehouse, self._etl, self._state)
        faults = sum(hit for kind, hit in report.hit.items() if kind not in LOADER)
        allowed = MOST_IN_HAND * self._workers * faults
        with warehouse.connect() as connection:
            report.reckoning = reckon(
                connection, self._faults.crashes, self._faults.losses, allowed, tick=self._tick
            )
        report.broken += report.reckoning.broken
        return report

    def _make_work(self) -> None:
        """See to it that the next cycle has something to do."""
        warehouse = self._warehouse
        self._server.wait_until_up()
        if warehouse.count(_DIRTY) > warehouse.count(_HELD):
            return
        warehouse.run("DELETE FROM etl.held_item")
        if warehouse.count(_DIRTY) == 0:
            self.report.rounds += 1
            warehouse.run("UPDATE dwh.dimension_users SET modified = TRUE")

    def _cycle(self, plan: list[Fault]) -> None:
        """Run a cycle, and carry out as much of the plan as comes due in it."""
        begun = time.monotonic()
        with ChaosCycle(
            sum(self.report.exits.values()), self._environment, self._workers, self._folder
        ) as cycle:
            while plan and cycle.process.poll() is None:
                fault = plan[0]
                if cycle.wait_for_claims(fault.after) < fault.after:
                    break
                has_hit = self._faults.inflict(fault, cycle)
                (self.report.hit if has_hit else self.report.missed)[fault.kind] += 1
                del plan[0]
            status = cycle.wait()
            self.report.duration_s += time.monotonic() - begun
            self.report.exits[status] += 1
            self._judge(cycle, status)

    def _judge(self, cycle: ChaosCycle, status: int) -> None:
        """Exit status and output of a cycle must be those that its faults explain."""
        kinds = {fault.kind for fault in cycle.faults}
        allowed = {0, _QUARANTINED}
        if kinds & COSTLY or sum(fault.kind in OUTAGES for fault in cycle.faults) > 1:
            allowed.add(_FAILED)
        allowed |= {
            128 + fault.signal_number for fault in cycle.faults if fault.kind is Kind.SIGNAL
        }
        if kinds & DEADLY:
            allowed.add(-9)
        if self._may_be_locked:
            allowed.add(_RUNNING)
        said = cycle.said()
        happened = ", ".join(fault.kind for fault in cycle.faults) or "no fault"
        if status not in allowed:
            self._complain(f"exit status {status} after {happened}", said)
        if "Traceback" in said:
            self._complain(f"a traceback after {happened}", said)
        # The server may not have noticed yet that the holder of the lock is dead.
        self._may_be_locked = status in (-9, _RUNNING)
        record = cycle.record()
        is_left = "the next cycle closes the record of this one" in said
        if record is not None and record["cycle_id"] is not None and status != -9 and not is_left:
            self._compare(record, happened, said)

    def _compare(self, record: dict[str, object], happened: str, said: str) -> None:
        """What the output says, the ledger says."""
        names = ("found", "done", "failed", "busy", "orphaned", "remaining", "stop_reason")
        self._server.wait_until_up()
        with self._warehouse.connect() as connection:
            rows = connection.execute(
                f"SELECT {', '.join(names)} FROM etl.cycle WHERE cycle_id = $1".encode(),
                [record["cycle_id"]],
            ).fetchall()
        told = tuple(record[name] for name in names)
        if rows != [told]:
            self._complain(f"the output says {told}, the ledger {rows} after {happened}", said)

    def _complain(self, problem: str, said: str) -> None:
        self._tell(f"broken: {problem}\n{said[-3000:]}")
        self.report.broken.append(problem)

    def _drain_undisturbed(self) -> None:
        """The last cycles, which nothing disturbs, must do everything that is left."""
        self._warehouse.run("DELETE FROM etl.held_item")
        begun = time.monotonic()
        left = self._warehouse.count(_DIRTY)
        with ChaosCycle(-1, self._environment, self._workers, self._folder) as cycle:
            status = cycle.wait()
            record = cycle.record() or {}
            self.report.exits[status] += 1
            # What a dead supervisor's workers had in hand is held for a minute.
            if status != 0 or record["done"] < left - self._workers:
                self._complain(f"the undisturbed cycle: status {status}, {record}", cycle.said())
        self.report.duration_s += time.monotonic() - begun
        if self._warehouse.count(_DIRTY):
            self._warehouse.run("DELETE FROM etl.held_item")
            self._etl("datamart-users", "--as-of=2026-01-16", "--max-users=1000000")


def run(
    seed: int, faults: int, workers: int, users: int | None, tell: Tell, *, queue: str = "file"
) -> Report:
    """Run chaos on a server of its own.

    Args:
        seed: Decides the plan.
        faults: How many.
        workers: Of each cycle.
        users: Sample users; None: the real notes where there are any.
        tell: Told of what goes on.
        queue: Of each cycle, file or postgres.
    """
    folder = Path(tempfile.mkdtemp(prefix="etl-chaos-"))
    try:
        with OwnServer({"track_commit_timestamp": "on"}) as server, Proxy(server.socket) as proxy:
            return Chaos(server, proxy, folder, workers, users, tell, queue=queue).run(seed, faults)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
