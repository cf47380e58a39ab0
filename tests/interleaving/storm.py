"""Workers and loaders at once on a few users, their order left to chance.

Three things are watched while it lasts:

- Each clearing of a mark is checked in the same transaction: with the user's row locked, the
  counts just stored are those of all facts that are committed by then.
- Each refresh writes down, after its claim, what other transactions it sees as ended. Of two
  refreshes of a user one has seen the other as ended; else they have overlapped.
- Between rounds, with nothing running and before any clean-up, whole rows are compared.
"""

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import psycopg

from etl import db
from etl.db import Connection, Target, connect
from tests.conftest import shipped_job
from tests.interleaving.loaders import Loader
from tests.interleaving.stepping import CLAIM, with_calls
from tests.support import DAY, refresh

_WATCH = """
CREATE TABLE refresh (user_id integer, xid xid8, seen pg_snapshot);
CREATE FUNCTION witness(user_id integer) RETURNS void LANGUAGE sql AS $$
    INSERT INTO refresh SELECT user_id, pg_current_xact_id(), pg_current_snapshot()
$$;

CREATE TABLE lost (user_id integer, stored integer, facts integer);
CREATE SEQUENCE cleared;
CREATE SEQUENCE kept;
CREATE FUNCTION check_clearing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF new.modified THEN
        PERFORM nextval('kept');
        RETURN NULL;
    END IF;
    PERFORM nextval('cleared');
    INSERT INTO lost
    SELECT new.dimension_user_id, x.stored, x.facts
    FROM (
        SELECT d.opened_total + d.closed_total + d.opened_and_resolved AS stored, (
            SELECT count(*) FROM dwh.facts AS f
            WHERE f.action_dimension_id_user = new.dimension_user_id
        ) + (
            SELECT count(*) FROM dwh.facts AS o
            WHERE o.action_dimension_id_user = new.dimension_user_id AND o.action = 'opened'
                AND EXISTS (
                    SELECT FROM dwh.facts AS c WHERE c.note_id = o.note_id AND c.action = 'closed'
                )
        ) AS facts
        FROM dwh.datamart_users AS d WHERE d.dimension_user_id = new.dimension_user_id
    ) AS x
    WHERE x.stored != x.facts;
    RETURN NULL;
END $$;
CREATE TRIGGER check_clearing AFTER UPDATE ON dwh.dimension_users FOR EACH ROW
WHEN (old.modified AND (NOT new.modified OR new.dirty_since != old.dirty_since))
EXECUTE FUNCTION check_clearing();

INSERT INTO dwh.dimension_countries (country_name) VALUES ('Colombia');
"""
# In the order of their transaction ids, so that neighbours overlap wherever any two do.
_OVERLAPS = """
SELECT count(*) FROM (
    SELECT
        xid, seen, lag(xid) OVER same_user AS xid_before, lag(seen) OVER same_user AS seen_before
    FROM refresh WINDOW same_user AS (PARTITION BY user_id ORDER BY xid)
) AS r
WHERE NOT pg_visible_in_snapshot(xid_before, seen) AND NOT pg_visible_in_snapshot(xid, seen_before)
"""


@dataclass(frozen=True)
class Plan:
    """How big a storm is. ``refreshes`` counts the attempts; a round is checked at its end."""

    seed: int
    refreshes: int
    per_round: int = 250
    workers: int = 3
    loaders: int = 4
    users: int = 20


@dataclass
class Report:
    """What a storm has shown; ``wrong`` and ``lost`` are to be empty, ``overlaps`` 0."""

    workers: Counter[str] = field(default_factory=Counter[str])
    loaders: Counter[str] = field(default_factory=Counter[str])
    wrong: dict[int, str] = field(default_factory=dict[int, str])
    lost: list[tuple[int, int, int]] = field(default_factory=list[tuple[int, int, int]])
    cleared: int = 0
    kept: int = 0
    overlaps: int = 0
    rows_compared: int = 0


class Storm:
    """Runs in a database as `etl init` leaves it, which it changes for good."""

    def __init__(self, dsn: str, plan: Plan) -> None:
        self._plan = plan
        self._connections = [
            connect(Target.parse(dsn), "storm") for _ in range(1 + plan.workers + plan.loaders)
        ]
        self._first = self._connections[0]
        self._first.execute(_WATCH.encode())
        self._first.execute(with_calls({CLAIM: "PERFORM witness(user_id);"}))
        self._first.execute(
            "INSERT INTO dwh.dimension_users (username) SELECT 'user ' || generate_series(1, $1)",
            [plan.users],
        )
        self._users = sorted(
            int(user)
            for (user,) in self._first.execute("SELECT dimension_user_id FROM dwh.dimension_users")
        )
        self._left = 0
        self._over = threading.Event()
        self._counting = threading.Lock()
        self._report = Report()

    def close(self) -> None:
        for connection in self._connections:
            connection.close()

    def run(self) -> Report:
        """All rounds, then a drain of what is left."""
        plan = self._plan
        workers = self._connections[1 : 1 + plan.workers]
        chances = [
            random.Random(f"{plan.seed} worker {number}")  # noqa: S311 - no secret
            for number in range(plan.workers)
        ]
        loaders = [
            Loader(connection, plan.seed, number, self._users)
            for number, connection in enumerate(self._connections[1 + plan.workers :], 1)
        ]
        with ThreadPoolExecutor(plan.workers + plan.loaders) as threads:
            for begun in range(0, plan.refreshes, plan.per_round):
                self._left = min(plan.per_round, plan.refreshes - begun)
                self._over.clear()
                running = [
                    *(
                        threads.submit(self._work, *each)
                        for each in zip(workers, chances, strict=True)
                    ),
                    *(threads.submit(self._load, loader) for loader in loaders),
                ]
                for thread in running:
                    thread.result()
                self._compare()
        for loader in loaders:
            self._report.loaders += loader.ends
        self._read_watch()
        for user in self._users:
            refresh(self._first, user)
        self._compare()
        return self._report

    def _work(self, connection: Connection, chance: random.Random) -> None:
        try:
            while self._take():
                end = "done"
                try:
                    refresh(connection, chance.choice(self._users))
                except psycopg.errors.LockNotAvailable as error:
                    message = error.diag.message_primary or ""
                    end = "claimed by another" if "refreshed" in message else "locked by a loader"
                with self._counting:
                    self._report.workers[end] += 1
        finally:
            self._over.set()

    def _take(self) -> bool:
        with self._counting:
            self._left -= 1
            return self._left >= 0

    def _load(self, loader: Loader) -> None:
        while not self._over.is_set():
            loader.run_once()

    def _compare(self) -> None:
        clean = self._first.execute("SELECT FROM dwh.dimension_users WHERE NOT modified")
        self._report.rows_compared += clean.rowcount
        rows = db.run(self._first, shipped_job().verify, as_of=DAY)
        self._report.wrong |= {int(user): str(problem) for user, problem in rows}

    def _read_watch(self) -> None:
        report = self._report
        report.lost = [
            (int(user), int(stored), int(facts))
            for user, stored, facts in self._first.execute("SELECT * FROM lost")
        ]
        for name in ("cleared", "kept"):
            row = self._first.execute(
                f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {name}".encode()
            ).fetchone()
            setattr(report, name, int(row[0]) if row else 0)
        row = self._first.execute(_OVERLAPS.encode()).fetchone()
        report.overlaps = int(row[0]) if row else -1
