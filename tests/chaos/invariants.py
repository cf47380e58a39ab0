"""What must hold after a chaos run, whatever went wrong in it."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from etl.db import Connection
from tests.chaos.warehouse import DAY, Warehouse
from tests.conftest import Etl
from tests.faults.sums import wrong_sums

_FLUSHED_AFTER = timedelta(seconds=5)
"""An asynchronous commit is flushed within three times wal_writer_delay, 0.6 s; this is a lot."""

TICKS = {"file": timedelta(milliseconds=1), "postgres": timedelta(seconds=1)}
"""By queue, how much earlier than its COMMIT an item may be told as done: the journal counts
milliseconds, PostgreSQL microseconds; in the database it is told in the same transaction."""


_OVERLAPS = """
SELECT user_id, begun_at, before_at FROM (
    SELECT user_id, begun_at, lag(at) OVER (PARTITION BY user_id ORDER BY at) AS before_at
    FROM (
        SELECT r.*, pg_xact_commit_timestamp(r.transaction::xid) AS at FROM chaos.refresh AS r
    ) AS c
) AS o WHERE begun_at < before_at
"""
_COMMITS = """
SELECT user_id, pg_xact_commit_timestamp(transaction::xid) AS at FROM chaos.refresh ORDER BY at
"""
_DONE = """
SELECT item_key::integer, finished_at FROM etl.attempt WHERE outcome = 'done' ORDER BY finished_at
"""

Moments = dict[int, list[datetime]]
Span = tuple[datetime, datetime]


@dataclass
class Reckoning:
    """Commits and acknowledgements, set against each other.

    Attributes:
        commits: Committed refreshes.
        unacknowledged: Those that no cycle has counted as done: somebody was killed in between.
            Not among them are those shortly before the connection was lost, which are done
            again to be sure.
        taken_back: Items counted as done whose commit a crash of the server took back.
        broken: What is wrong.
    """

    commits: int = 0
    unacknowledged: int = 0
    taken_back: int = 0
    broken: list[str] = field(default_factory=list[str])


def reckon(
    connection: Connection,
    crashes: Sequence[Span],
    losses: Sequence[Span],
    allowed: int,
    *,
    tick: timedelta = TICKS["file"],
) -> Reckoning:
    """Match every committed refresh with its acknowledgement.

    Args:
        connection: To the warehouse.
        crashes: When the server crashed, and when it was up again.
        losses: When workers lost their connections, by that or otherwise.
        allowed: How many commits may be unacknowledged at most.
        tick: How much earlier than its commit an item may be told as done.
    """
    done = _by_user(connection.execute(_DONE.encode()))
    found = Reckoning()
    for user, commits in _by_user(connection.execute(_COMMITS.encode())).items():
        found.commits += len(commits)
        told = done.get(user, [])
        for commit, following in zip(commits, [*commits[1:], None], strict=True):
            place = bisect_left(told, commit - tick)
            if place == len(told) or (following is not None and told[place] >= following):
                is_redone = any(begun - _FLUSHED_AFTER < commit < up for begun, up in losses)
                found.unacknowledged += not is_redone
            else:
                del told[place]
    for user, moments in done.items():
        for moment in moments:
            if any(begun - _FLUSHED_AFTER < moment < up for begun, up in crashes):
                found.taken_back += 1
            else:
                found.broken.append(f"user {user}: done at {moment}, and nothing was committed")
    if found.unacknowledged > allowed:
        found.broken.append(f"{found.unacknowledged} commits are unacknowledged, {allowed} may be")
    found.broken += [
        f"user {user}: a refresh begun at {begun} overlaps one committed at {before}"
        for user, begun, before in connection.execute(_OVERLAPS.encode())
    ]
    return found


def broken_promises(warehouse: Warehouse, etl: Etl, state: Path) -> list[str]:
    """What is wrong after the last, undisturbed cycle; nothing: all is right."""
    broken: list[str] = []
    dirty = warehouse.count("SELECT count(*) FROM dwh.dimension_users WHERE modified")
    if dirty:
        broken.append(f"{dirty} users are dirty")
    facts = warehouse.count("SELECT count(*) FROM dwh.facts")
    if facts != warehouse.facts:
        broken.append(f"there are {facts} facts, {warehouse.facts} were loaded")
    verified = etl("verify", "datamart-users", f"--as-of={DAY}", "--json")
    if verified.status != 0:
        broken.append(f"verify: {verified.out or verified.err}")
    with warehouse.connect() as connection:
        broken += wrong_sums(connection)
        broken += _sessions(connection)
    broken += [f"process {pid} is left over: {what}" for pid, what in processes_of(state)]
    folders = list(state.glob("cycles/*/*/cycle-*"))
    if len(folders) != 1:
        broken.append(f"queues are left over: {sorted(folder.name for folder in folders)}")
    return broken


def processes_of(state: Path) -> list[tuple[int, str]]:
    """The processes of the program that work in a state folder, with their commands."""
    found: list[tuple[int, str]] = []
    wanted = b"ETL_STATE_DIR=" + bytes(state)
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            environment = (process / "environ").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it has ended, or is somebody else's
        if wanted in environment and " etl" in command:
            found.append((int(process.name), command))
    return found


def _by_user(rows: Iterable[tuple[int, datetime]]) -> Moments:
    moments: Moments = defaultdict(list)
    for user, moment in rows:
        moments[user].append(moment)
    return moments


def _sessions(connection: Connection) -> list[str]:
    rows = connection.execute(
        "SELECT pid, application_name, state FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name LIKE 'etl:%'"
    )
    return [f"server session {pid} of {name} is left over, {state}" for pid, name, state in rows]
