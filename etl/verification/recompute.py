"""Is what is stored what the job's own statement would store now? For clean items only.

Each item is recomputed in a transaction that is rolled back, and its stored result compared
before and after. What a loader changes meanwhile makes the item dirty, which is looked at
again before anything is called wrong.
"""

from collections.abc import Callable
from datetime import date
from typing import Any

import psycopg

from etl import db
from etl.errors import EnvironmentFaultError, FileError, UsageError
from etl.job import Job
from etl.sqlfile import shipped
from etl.verification.difference import Result, compare
from etl.verification.verdict import Verdict, Wrong
from etl.worker.executor import ENDS_TRANSACTIONS, HOPELESS

_TAKEN = ("55P03", "40001", "40P01")  # somebody else is at it
_IN_A_ROW = 3  # as many as a worker meets before it takes a fault for everybody's


Item = dict[str, Any]
"""A row of clean.sql, by column: item_key, population, and what else process.sql takes."""


class _Skipped(Exception):
    """Somebody else has the item, or it became dirty meanwhile."""


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
        self._hopeless = 0  # in a row
        db.run(
            connection,
            shipped("session/set_worker_session"),
            **job.session_settings(job.slow_statement_timeout_s),
        )

    def draw(self, sample: int | None, seed: int, item_key: str | None = None) -> list[Item]:
        """Choose clean items by lot.

        Args:
            sample: How many; None: all.
            seed: Which lot.
            item_key: Only this one; None: any.
        """
        values = {
            **self._job.values,
            "as_of": self._as_of,
            "sample": sample,
            "seed": seed,
            "item_key": item_key or "",
        }
        cursor = db.run(self._connection, self._job.clean, **values)
        names = [column.name for column in cursor.description or ()]
        if not {"item_key", "population"} <= set(names):
            path = self._job.clean.path
            raise FileError(path, None, "must return item_key and population", f"It has {names}.")
        rows = [dict(zip(names, row, strict=True)) for row in cursor]
        # An empty key is a key like any other, and stands for any in the query.
        return [row for row in rows if item_key is None or str(row["item_key"]) == item_key]

    def check(
        self, items: list[Item], verdict: Verdict, on_checked: Callable[[int], object]
    ) -> None:
        """Look at each of these items.

        Args:
            items: As ``draw`` returns them.
            verdict: Gets what is found.
            on_checked: Called with how many of them have been looked at.

        Raises:
            UsageError: The job's statement cannot be rolled back.
            EnvironmentFaultError: No item can be recomputed: privileges, a full disk.
            FileError: A file of the job is broken.
        """
        verdict.checked = verdict.skipped = 0
        for place, item in enumerate(items, 1):
            try:
                wrong = self._check(item)
                verdict.checked += 1
                verdict.wrong += [wrong] if wrong is not None else []
            except _Skipped:
                verdict.skipped += 1
            is_all = place == len(items) and self._hopeless == verdict.checked
            if self._hopeless and (is_all or self._hopeless == _IN_A_ROW):
                said = f"{self._job.unit} {verdict.wrong[-1].item_key} {verdict.wrong[-1].problem}"
                raise EnvironmentFaultError(said, "No other one can, until this is mended.")
            on_checked(place)

    def _check(self, item: Item) -> Wrong | None:
        key = str(item["item_key"])
        try:
            before, after = self._recompute(key, item)
        except psycopg.Error as error:
            return self._failed(key, error)
        self._hopeless = 0
        found = compare(before, after)
        if found is not None and not self._is_clean(key):  # it was changed while we looked
            raise _Skipped
        return None if found is None else Wrong(key, *found)

    def _failed(self, key: str, error: psycopg.Error) -> Wrong:
        if self._connection.closed:
            raise error
        state = error.sqlstate or ""
        if state in ENDS_TRANSACTIONS:
            raise UsageError(
                f"{self._job.command} cannot be recomputed: its statement commits by itself",
                f"Use its verify.sql instead: etl verify {self._job.command}",
            ) from error
        if state in _TAKEN or not self._is_clean(key):
            raise _Skipped from error
        self._hopeless = self._hopeless + 1 if state.startswith(HOPELESS) else 0
        told = error.diag.message_primary or " ".join(str(error).split())
        return Wrong(key, f"cannot be recomputed: {told} [{state}]")

    def _recompute(self, key: str, item: Item) -> tuple[Result | None, Result | None]:
        """The stored result before and after, of which nothing stays."""
        process = self._job.process
        values = process.bind({**item, "item_key": key, **self._job.parameters(self._as_of)})
        with self._connection.transaction(force_rollback=True):
            before = self._stored(key)
            self._connection.execute(process.text, values)
            return before, self._stored(key)

    def _stored(self, key: str) -> Result | None:
        result = self._job.result
        values = result.bind({"item_key": key, "as_of": self._as_of})
        cursor = self._connection.execute(result.text, values)
        rows = cursor.fetchall()
        if len(rows) > 1:
            raise FileError(result.path, None, f"returned {len(rows)} rows", "It is one, or none.")
        names = [column.name for column in cursor.description or ()]
        return dict(zip(names, rows[0], strict=True)) if rows else None

    def _is_clean(self, key: str) -> bool:
        return bool(self.draw(None, 0, key))
