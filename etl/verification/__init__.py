"""Is what is stored what the job's own statement would store now? For clean items only.

Each item is recomputed in a transaction that is rolled back, and its stored result compared
before and after. What a loader changes meanwhile makes the item dirty, which is looked at
again before anything is called wrong.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, cast

import psycopg

from etl import db
from etl.errors import FileError, UsageError
from etl.job import Job
from etl.sqlfile import shipped

_TAKEN = ("55P03", "40001", "40P01")  # somebody else is at it
_CANNOT_ROLL_BACK = "2D000"
_SHOWN = 60
_NOT_THERE = "(not there)"


class Verdict(StrEnum):
    """What came of looking at an item."""

    RIGHT = "right"
    WRONG = "wrong"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Difference:
    """A column that is not what it should be.

    Attributes:
        column: Its name.
        stored: What is stored, shortened.
        recomputed: What should be, shortened.
    """

    column: str
    stored: str
    recomputed: str


@dataclass(frozen=True, slots=True)
class Checked:
    """One item that was looked at.

    Attributes:
        item_key: Its key.
        verdict: Skipped: somebody else had it, or it became dirty meanwhile.
        problem: What is wrong, in one line; empty where nothing is.
        differences: The columns that differ.
    """

    item_key: str
    verdict: Verdict
    problem: str = ""
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True)
class Lot:
    """The items to look at.

    Attributes:
        items: For each the row of clean.sql: item_key, and what else process.sql takes.
        population: How many clean items there are.
    """

    items: list[dict[str, Any]]
    population: int


class Verifier:
    """Recomputes items of a job.

    Args:
        connection: In autocommit; of somebody who may run cycles: what is rolled back is
            written first.
        job: The job; it has a result.sql and a clean.sql.
        as_of: The day that counts as today, UTC.
    """

    def __init__(self, connection: db.Connection, job: Job, as_of: date) -> None:
        self._connection = connection
        self._job = job
        self._as_of = as_of
        db.run(
            connection,
            shipped("session/set_worker_session"),
            **job.session_settings(job.slow_statement_timeout_s),
        )

    def draw(self, sample: int | None, seed: int, item_key: str = "") -> Lot:
        """Choose clean items by lot.

        Args:
            sample: How many; None: all.
            seed: Which lot.
            item_key: Only this one; empty: any.
        """
        values = {
            **self._job.values,
            "as_of": self._as_of,
            "sample": sample,
            "seed": seed,
            "item_key": item_key,
        }
        cursor = db.run(self._connection, self._job.clean, **values)
        names = [column.name for column in cursor.description or ()]
        if not {"item_key", "population"} <= set(names):
            path = self._job.clean.path
            raise FileError(path, None, "must return item_key and population", f"It has {names}.")
        rows = [dict(zip(names, row, strict=True)) for row in cursor]
        return Lot(rows, int(rows[0]["population"]) if rows else 0)

    def check(self, item: dict[str, Any]) -> Checked:
        """Look at one item of a lot.

        Raises:
            UsageError: The job's statement cannot be rolled back.
            FileError: A file of the job is broken, or may not be run by this login.
        """
        key = str(item["item_key"])
        try:
            before, after = self._recompute(key, item)
        except psycopg.Error as error:
            if self._connection.closed:
                raise
            if isinstance(error, psycopg.errors.InsufficientPrivilege):  # whoever asks, no item
                with db.explained(self._connection, self._job.process):
                    raise
            state = error.sqlstate or ""
            if state in _TAKEN or not self._is_clean(key):
                return Checked(key, Verdict.SKIPPED)
            if state == _CANNOT_ROLL_BACK:
                raise UsageError(
                    f"{self._job.command} cannot be recomputed: its statement commits by itself",
                    f"Use its verify.sql instead: etl verify {self._job.command}",
                ) from error
            told = error.diag.message_primary or " ".join(str(error).split())
            return Checked(key, Verdict.WRONG, f"cannot be recomputed: {told} [{state}]")
        found = _compare(before, after)
        if found is None:
            return Checked(key, Verdict.RIGHT)
        if not self._is_clean(key):  # it was changed while we looked
            return Checked(key, Verdict.SKIPPED)
        problem, differences = found
        return Checked(key, Verdict.WRONG, problem, differences)

    def mark(self, keys: list[str]) -> None:
        """Mark items dirty, all of them or none."""
        with self._connection.transaction():
            for key in keys:
                db.run(self._connection, self._job.mark, item_key=key)

    def _recompute(
        self, key: str, item: dict[str, Any]
    ) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """The stored result before and after, of which nothing stays."""
        process = self._job.process
        values = process.bind({**item, "item_key": key, **self._job.parameters(self._as_of)})
        with self._connection.transaction(force_rollback=True):
            before = self._stored(key)
            self._connection.execute(process.text, values)
            return before, self._stored(key)

    def _stored(self, key: str) -> dict[str, Any] | None:
        result = self._job.result
        values = result.bind({"item_key": key, "as_of": self._as_of})
        cursor = self._connection.execute(result.text, values)
        rows = cursor.fetchall()
        if len(rows) > 1:
            raise FileError(result.path, None, f"returned {len(rows)} rows", "It is one, or none.")
        names = [column.name for column in cursor.description or ()]
        return dict(zip(names, rows[0], strict=True)) if rows else None

    def _is_clean(self, key: str) -> bool:
        return bool(self.draw(None, 0, key).items)


def _compare(
    stored: dict[str, Any] | None, recomputed: dict[str, Any] | None
) -> tuple[str, tuple[Difference, ...]] | None:
    """What is wrong with a stored result; None: nothing."""
    if stored == recomputed:
        return None
    if stored is None:
        return "has no result", ()
    if recomputed is None:
        return "has a result, and should have none", ()
    differences = tuple(_differences(stored, recomputed))
    first = differences[0]
    more = f" and {len(differences) - 1} more" if len(differences) > 1 else ""
    told = f"{first.column} is {first.stored}, should be {first.recomputed}"
    return f"differs in {told}{more}", differences


def _differences(stored: dict[str, Any], recomputed: dict[str, Any]) -> Iterator[Difference]:
    """The columns that differ, and within a JSON object the members that do."""
    for name in {**stored, **recomputed}:
        one: Any = stored.get(name, _NOT_THERE)
        other: Any = recomputed.get(name, _NOT_THERE)
        if one == other:
            continue
        if isinstance(one, dict) and isinstance(other, dict):
            members = _differences(cast("dict[str, Any]", one), cast("dict[str, Any]", other))
            for inner in members:
                yield Difference(f"{name}.{inner.column}", inner.stored, inner.recomputed)
        else:
            yield Difference(name, *_where(cast(object, one), cast(object, other)))


def _where(stored: object, recomputed: object) -> tuple[str, str]:
    """Two values that differ; of lists the first place where they do."""
    shown = _short(stored), _short(recomputed)
    if isinstance(stored, list) and isinstance(recomputed, list):
        pairs = zip(cast("list[object]", stored), cast("list[object]", recomputed), strict=False)
        for place, (one, other) in enumerate(pairs, 1):
            if one != other:
                return f"{_short(one)} at place {place}", f"{_short(other)} there"
    return shown


def _short(value: object) -> str:
    text = "null" if value is None else str(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
