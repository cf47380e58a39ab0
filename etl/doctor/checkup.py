"""The checks, one after the other; one that fails says so, and the others go on."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from ipaddress import ip_address
from pathlib import Path

from etl import db, deploy
from etl.cycle.leftovers import left_behind
from etl.deploy import DeployedFile, FileState
from etl.doctor import dropped, host, rights
from etl.doctor.finding import Finding, Severity, Verdict, unchecked
from etl.errors import DatabaseUnreachableError, EtlError, FileError, SchemaError
from etl.job import Job, load
from etl.sqlfile import shipped

_STATEMENT, _LOCK = "5s", "1s"
_ANSWER_S = 20.0  # of one check; the server itself ends a statement long before
_CLOCK_S = 5.0
_SLOW_ROUND_TRIP_S = 0.02
_VERSION_17 = 170_000
_DAY_S = 86_400.0

THRESHOLDS: dict[str, object] = {
    "waiting_s": 5.0,
    "idle_s": 300.0,
    "open_s": 600.0,
    "unused_bytes": 100 << 20,
    "counted_s": 7 * _DAY_S,
    "bloat_bytes": 100 << 20,
    "bloat_share": 0.5,
    "least_rows": 10_000,
    "share": 0.5,
    "lag_s": 60.0,
    "slot_bytes": 1 << 30,
}
"""From when on something is worth telling; by the names of the variables in sql/engine/doctor."""


_DIFFERENCE = {
    FileState.PENDING: "etl init",
    FileState.CHANGED: "etl init",
    FileState.EDITED: "etl sql show {file}  # restore its text; a change is a new numbered file",
    FileState.UNKNOWN: "etl sql show {file}  # of a newer etl: upgrade this one",
}


@dataclass(frozen=True, slots=True)
class Checkup:
    """What to look at.

    Attributes:
        job_folders: The jobs, whole or broken.
        state: The state folder.
        workers: How many workers a cycle here has.
        thresholds: As THRESHOLDS.
        job: Name of the one job to look at; empty: all.
        today: The day that counts as today, UTC.
    """

    job_folders: list[Path]
    state: Path
    workers: int
    thresholds: dict[str, object]
    job: str = ""
    today: date = field(default_factory=lambda: datetime.now(UTC).date())

    def of_host(self) -> list[Verdict]:
        """The verdicts of the checks that need no database."""
        return host.look(self.job_folders, self.state)

    def of_database(self, connection: db.Connection) -> Iterator[Verdict]:
        """The verdicts of the checks that ask the server.

        Raises:
            DatabaseUnreachableError: The connection is lost, or the server does not answer.
        """
        with db.answered_within(connection, _ANSWER_S):
            settings = {"statement_timeout": _STATEMENT, "lock_timeout": _LOCK}
            db.run(connection, shipped("doctor/set_session"), **settings)
        for name, check in CHECKS.items():
            with db.answered_within(connection, _ANSWER_S):
                try:
                    verdict = Verdict(name, tuple(check(self, connection)))
                except DatabaseUnreachableError:
                    raise
                except _NoLedgerError as error:  # one finding about that is enough
                    verdict = Verdict(name, (), error.message)
                except EtlError as error:
                    verdict = unchecked(name, error.message, error.hint)
            yield verdict

    def jobs(self) -> list[Job]:
        """Those that are whole; the others are told by ``of_host``."""
        whole: list[Job] = []
        for folder in self.job_folders:
            try:
                job = load(folder)
                deploy.check_files(job)
            except FileError:
                continue
            whole.append(job)
        return whole


class _NoLedgerError(SchemaError):
    """There is nothing to look at yet."""


def _require_ledger(connection: db.Connection) -> None:
    if db.one(connection, shipped("deploy/has_ledger")) != (True,):
        raise _NoLedgerError("the database has no schema of etl yet")


def _findings(rows: Iterable[db.Row]) -> Iterator[Finding]:
    for severity, *told in rows:
        yield Finding(Severity[severity.upper()], *told)


def _ask(checkup: Checkup, connection: db.Connection, name: str) -> Iterator[Finding]:
    values = {
        **checkup.thresholds,
        "needed": checkup.workers + 1,
        "job": checkup.job,
        "today": checkup.today,
    }
    return _findings(db.run(connection, shipped(f"doctor/{name}"), **values).fetchall())


def _by_query(name: str) -> "Check":
    return lambda checkup, connection: _ask(checkup, connection, name)


def _checkpoints(checkup: Checkup, connection: db.Connection) -> Iterator[Finding]:
    is_new = connection.info.server_version >= _VERSION_17
    return _ask(checkup, connection, "checkpoints_17" if is_new else "checkpoints_15")


def _bloat(checkup: Checkup, connection: db.Connection) -> Iterator[Finding]:
    is_measured = db.one(connection, shipped("doctor/may_measure")) == (True,)
    return _ask(checkup, connection, "bloat_measured" if is_measured else "bloat_estimated")


def is_exposed(address: str, *, is_encrypted: bool) -> bool:
    """Whether a connection can be read on its way.

    Args:
        address: The server's network address; empty or a path: a socket of this host.
        is_encrypted: By TLS.
    """
    if is_encrypted or not address or address.startswith(("/", "@")):
        return False
    return not ip_address(address.partition("%")[0]).is_loopback


def _connection(_checkup: Checkup, connection: db.Connection) -> Iterator[Finding]:
    address = connection.info.hostaddr
    if is_exposed(address, is_encrypted=connection.pgconn.ssl_in_use):
        yield Finding(
            Severity.NOTE,
            f"the connection to {address} is not encrypted",
            "Whoever is in between can read, and change, what is sent.",
            "Set PGSSLMODE=verify-full, and ssl = on at the server.",
        )
    begun = time.perf_counter()
    db.one(connection, shipped("doctor/clock"))
    took_s = time.perf_counter() - begun
    if took_s > _SLOW_ROUND_TRIP_S:
        yield Finding(
            Severity.NOTE,
            f"a round trip to the server takes {took_s * 1000:.0f} ms",
            "Each worker waits for one with every item, unless items are quick.",
            "Run etl nearer to the server, or with more workers: --workers auto",
        )


def _clock(_checkup: Checkup, connection: db.Connection) -> Iterator[Finding]:
    before = datetime.now(UTC)
    (there,) = db.one(connection, shipped("doctor/clock"))
    after = datetime.now(UTC)
    # It was read at some moment in between.
    apart_s = max((before - there).total_seconds(), (there - after).total_seconds())
    if apart_s > _CLOCK_S:
        yield Finding(
            Severity.WARNING,
            f"the clocks of this host and of the server are {apart_s:.0f} s apart",
            "Back-offs, ages and the day that counts as today are told by both.",
            "timedatectl set-ntp true  # on both",
        )


def _schema(checkup: Checkup, connection: db.Connection) -> Iterator[Finding]:
    if db.one(connection, shipped("deploy/has_ledger")) != (True,):
        what, command = "the database has no schema of etl yet", "etl init"
        yield Finding(Severity.ERROR, what, "No cycle can keep its record.", command)
        return
    differing: dict[tuple[str, FileState], list[DeployedFile]] = {}
    for file in deploy.compare(connection, checkup.jobs()):
        differing.setdefault((file.scope, file.state), []).append(file)
    here = {scope for scope, state in differing if state is not FileState.PENDING}
    for (scope, state), files in differing.items():
        if state is not FileState.APPLIED:
            # Several databases may share a folder of jobs.
            is_wanted = scope in here or bool(checkup.job)
            which = f"{len(files)} SQL file{'s are' if len(files) > 1 else ' is'} {state}"
            what = f"{scope}: {which}, first {files[0].name}"
            command = _DIFFERENCE[state].format(file=f"{scope}/{files[0].name}")
            why = "No cycle runs with files that the database has not, or has otherwise."
            severity = Severity.ERROR if is_wanted else Severity.NOTE
            yield Finding(severity, what, why, command)


def _dropped(checkup: Checkup, connection: db.Connection) -> Iterator[Finding]:
    _require_ledger(connection)
    return dropped.indexes(connection, checkup.jobs())


def _rights(checkup: Checkup, connection: db.Connection) -> Iterator[Finding]:
    return _findings(rights.missing(connection, checkup.jobs()))


def _ledger(checkup: Checkup, connection: db.Connection) -> Iterator[Finding]:
    _require_ledger(connection)
    return _ask(checkup, connection, "ledger")


def _leftovers(checkup: Checkup, connection: db.Connection) -> Iterator[Finding]:
    _require_ledger(connection)
    for path, cycle_id in left_behind(checkup.state, connection):
        job = path.parent.name
        if checkup.job in ("", job):
            yield Finding(
                Severity.NOTE,
                f"the queue of cycle {cycle_id} of {job} is left behind in {path}",
                "The cycle was cut off before its attempts were recorded; nothing is lost.",
                f"etl {job.replace('_', '-')}  # the next cycle records and removes it",
            )


Check = Callable[[Checkup, db.Connection], Iterator[Finding]]
CHECKS: dict[str, Check] = {
    "connection": _connection,
    "clock": _clock,
    **{name: _by_query(name) for name in ("server", "connections", "timeouts", "monitor")},
    **{name: _by_query(name) for name in ("blocked", "transactions", "wraparound", "replication")},
    "checkpoints": _checkpoints,
    **{name: _by_query(name) for name in ("indexes", "tables")},
    "bloat": _bloat,
    "schema": _schema,
    "dropped": _dropped,
    "rights": _rights,
    "ledger": _ledger,
    "leftovers": _leftovers,
}
"""The checks that ask the server, in order, by name."""
