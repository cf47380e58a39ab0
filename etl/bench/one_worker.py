"""One worker beside a bare loop: what the engine costs for each item.

Both do each item, now this one first and now that one, so that neither always finds the pages
warm that the other has read. The bare loop is libpq's own calls and nothing else: no queue, no
journal, no outcome.
"""

import select
import time
from collections.abc import Mapping

import psycopg
from psycopg import pq

from etl import db
from etl.bench.attempt import RolledBack
from etl.bench.report import OneWorker, Spread, Tally
from etl.errors import EnvironmentFaultError
from etl.job import Job
from etl.model import Claim, Outcome, Result
from etl.queue import Queue

_NAME = b"bare"


class BareLoop:
    """The rival: the job's statement, prepared, and nothing around it.

    Args:
        connection: In autocommit, settled.
        job: The job.
        parameters: Values that are the same for every item.
    """

    def __init__(
        self, connection: db.Connection, job: Job, parameters: Mapping[str, object]
    ) -> None:
        self._connection = connection
        self._server = connection.pgconn
        self._job = job
        self._parameters = parameters
        self._server.send_prepare(_NAME, job.process.text)
        self._is_done()

    def time(self, claim: Claim) -> float | None:
        """How long the statement takes, seconds; None where it is not done."""
        bound = self._job.process.bind({**claim.values, **self._parameters})
        values = [None if value is None else str(value).encode() for value in bound]
        with db.explained(self._connection, self._job.process):
            self._connection.execute("BEGIN")
            begun = time.perf_counter()
            self._server.send_query_prepared(_NAME, values)
            is_done = self._is_done()
            ended = time.perf_counter()
            self._connection.execute("ROLLBACK")
        return ended - begun if is_done else None

    def _is_done(self) -> bool:
        is_done = True
        try:
            while self._server.flush():
                select.select([], [self._server.socket], [])
            while True:
                while self._server.is_busy():
                    select.select([self._server.socket], [], [])
                    self._server.consume_input()
                answer = self._server.get_result()
                if answer is None:
                    return is_done
                is_done = is_done and answer.status != pq.ExecStatus.FATAL_ERROR
        except psycopg.OperationalError:  # lost: the next statement tells
            return False


def warm_up(claims: list[Claim], rolled_back: RolledBack, loop: BareLoop, until: float) -> None:
    """Do some items for nothing, at least one: plans are made, and it is seen that it works.

    Args:
        claims: The items.
        rolled_back: Does one with the engine.
        loop: Does one without.
        until: Begin no further one after it, of ``time.monotonic()``.

    Raises:
        EnvironmentFaultError: None was done, and the last failed as all others will.
    """
    done = 0
    doubt: Result | None = None
    for claim in claims:
        attempt = rolled_back.attempt(claim)
        loop.time(claim)
        done += attempt.result.outcome is Outcome.DONE
        doubt = attempt.result if attempt.is_doubtful else None
        if time.monotonic() >= until:
            break
    if doubt is not None and not done:
        raise EnvironmentFaultError(
            f"{doubt.message} [{doubt.sqlstate}]", "No item can succeed until this is mended."
        )


def measure(
    queue: Queue, claims: list[Claim], rolled_back: RolledBack, loop: BareLoop, until: float
) -> tuple[Tally, OneWorker | None]:
    """Do the items of a queue with the engine and without, in turn.

    Args:
        queue: Has these items, none claimed.
        claims: The items.
        rolled_back: Does one with the engine, warm.
        loop: Does one without.
        until: Begin no item after it, of ``time.monotonic()``.

    Returns:
        The outcomes, and the figures; no figures where no item was done both ways.
    """
    tally = Tally()
    begins: list[float] = []
    both: list[tuple[float, float, float]] = []
    claimed = queue.claim(1)
    for turn, claim in enumerate(claims):
        if claimed is None or time.monotonic() >= until:
            break
        bare_s = loop.time(claim) if turn % 2 else None
        attempt = rolled_back.attempt(claimed)
        begun = time.perf_counter()
        following = queue.exchange(1, [(claimed, attempt.result)])
        engine_s = time.perf_counter() - begun
        claimed = following[0] if following else None
        if not turn % 2:
            bare_s = loop.time(claim)
        tally.count(attempt.result)
        begins.append(attempt.begin_s)
        if attempt.result.outcome is Outcome.DONE and bare_s is not None:
            both.append((attempt.statement_s, engine_s, bare_s))
    if not both:
        return tally, None
    statement, engine, bare = (Spread.of(list(times)) for times in zip(*both, strict=True))
    return tally, OneWorker(statement, engine, bare, Spread.of(begins).median_s)
