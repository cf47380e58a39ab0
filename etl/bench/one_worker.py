"""One worker beside a bare loop: what the engine costs for each item.

Both do each item, now this one first and now that one, so that neither always finds the pages
warm that the other has read. The bare loop is libpq's own calls and nothing else: no queue, no
journal, no outcome.
"""

import select
import time
from collections.abc import Callable, Mapping

import psycopg
from psycopg import pq

from etl import db
from etl.bench.attempt import Attempt, RolledBack, count
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


class _Times:
    """What was measured, by item."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.attempts: dict[int, Attempt] = {}
        self.engine_s: dict[int, float] = {}
        self.bare_s: dict[int, float] = {}

    def with_engine(self, claim: Claim, queue: Queue, rolled_back: RolledBack) -> Claim | None:
        """Attempt an item, acknowledge it, and claim the next one."""
        attempt = rolled_back.attempt(claim)
        begun = time.perf_counter()
        following = queue.exchange(1, [(claim, attempt.result)])
        self.engine_s[claim.position] = time.perf_counter() - begun
        self.attempts[claim.position] = attempt
        count(self.tally, attempt.result)
        return following[0] if following else None

    def bare(self, claim: Claim, loop: BareLoop) -> None:
        """Do an item without the engine."""
        seconds = loop.time(claim)
        if seconds is not None:
            self.bare_s[claim.position] = seconds

    def summed_up(self) -> OneWorker | None:
        """What was done both ways; None where nothing was."""
        both = [
            position
            for position, attempt in self.attempts.items()
            if attempt.result.outcome is Outcome.DONE and position in self.bare_s
        ]
        if not both:
            return None
        begins = [attempt.begin_s for attempt in self.attempts.values()]
        return OneWorker(
            statement=Spread.of([self.attempts[position].statement_s for position in both]),
            engine=Spread.of([self.engine_s[position] for position in both]),
            bare=Spread.of([self.bare_s[position] for position in both]),
            round_trip_s=Spread.of(begins).median_s,
        )


def warm_up(
    claims: list[Claim], rolled_back: RolledBack, loop: BareLoop, is_over: Callable[[], bool]
) -> None:
    """Do some items for nothing, at least one: plans are made, and it is seen that it works.

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
        if is_over():
            break
    if doubt is not None and not done:
        raise EnvironmentFaultError(
            f"{doubt.message} [{doubt.sqlstate}]", "No item can succeed until this is mended."
        )


def measure(
    queue: Queue,
    claims: list[Claim],
    rolled_back: RolledBack,
    loop: BareLoop,
    is_over: Callable[[], bool],
) -> tuple[Tally, OneWorker | None]:
    """Do the items of a queue with the engine and without, in turn.

    Args:
        queue: Has these items, none claimed.
        claims: The items.
        rolled_back: Does one with the engine, warm.
        loop: Does one without.
        is_over: Whether there is no time for more.

    Returns:
        The outcomes, and the figures; no figures where no item was done both ways.
    """
    times = _Times()
    claimed = queue.claim(1)
    for turn, claim in enumerate(claims):
        if is_over() or claimed is None:
            break
        if turn % 2:
            times.bare(claim, loop)
        claimed = times.with_engine(claimed, queue, rolled_back)
        if not turn % 2:
            times.bare(claim, loop)
    return times.tally, times.summed_up()
