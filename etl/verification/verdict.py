"""What verifying a job came to, and how it is found by the job's own query."""

from dataclasses import dataclass, field
from datetime import date

from etl import db
from etl.errors import FileError
from etl.job import Job
from etl.sqlfile import shipped
from etl.verification.confidence import at_most
from etl.verification.difference import Difference


@dataclass(frozen=True, slots=True)
class Wrong:
    """An item whose result is wrong.

    Attributes:
        item_key: Its key.
        problem: What is wrong, in one line.
        differences: The columns that differ, where it was recomputed.
    """

    item_key: str
    problem: str
    differences: tuple[Difference, ...] = ()


@dataclass(slots=True)
class Verdict:
    """What verifying a job came to.

    Attributes:
        how: "verify.sql", "sample", "all" or "item".
        wrong: The wrong items.
        checked: Items recomputed; None: by the job's query, which does not say.
        skipped: Items that somebody else had, or that became dirty meanwhile.
        population: How many clean items there are; None: not asked.
        seed: Of a sample: draws it again.
        marked: Wrong items marked dirty.
    """

    how: str
    wrong: list[Wrong] = field(default_factory=list[Wrong])
    checked: int | None = None
    skipped: int | None = None
    population: int | None = None
    seed: int | None = None
    marked: int = 0

    @property
    def drift_rate(self) -> float | None:
        """The share of a sample that is wrong, 0 to 1; None: it was none, or nothing was left."""
        return len(self.wrong) / self.checked if self.how == "sample" and self.checked else None

    @property
    def drift_rate_at_most(self) -> float | None:
        """With how large a share of all clean items the sample still agrees, 0 to 1."""
        if not self.checked or self.checked == self.population:
            return self.drift_rate  # nobody was left to chance
        return None if self.drift_rate is None else at_most(len(self.wrong), self.checked)


def by_query(connection: db.Connection, job: Job, as_of: date) -> Verdict:
    """What the job's verify.sql finds.

    Raises:
        FileError: There is none, or it is broken.
    """
    cursor = db.run(connection, job.verify, **job.parameters(as_of))
    if len(cursor.description or ()) != 2:
        raise FileError(
            job.verify.path, None, "must return item_key and problem", "Correct the query."
        )
    return Verdict("verify.sql", [Wrong(str(key), str(problem)) for key, problem in cursor])


def mark(connection: db.Connection, job: Job, verdict: Verdict) -> None:
    """Mark the wrong items dirty, all of them or none."""
    settings = job.session_settings(job.slow_statement_timeout_s)
    db.run(connection, shipped("session/set_worker_session"), **settings)
    with connection.transaction():
        for wrong in verdict.wrong:
            db.run(connection, job.mark, item_key=wrong.item_key)
    verdict.marked = len(verdict.wrong)
