"""The backlog of a job: counted by level, and frozen in order into a queue."""

import itertools
import re
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from typing import cast

import psycopg
from psycopg.types.string import TextLoader

from etl import db
from etl.errors import FileError
from etl.job import Job
from etl.keyrange import FIRST_KEY, KIND, LAST_KEY, range_key
from etl.ledger.cost import Budget
from etl.model import WEIGHT, CycleRecord, LevelCount
from etl.queue import Buildable
from etl.settings import ItemLimit
from etl.sqlfile import shipped

_STREAM_ROWS = 1000
_COLUMNS = ("item_key", "level")
_RANGE = (KIND, FIRST_KEY, LAST_KEY)
_BACKLOG_COLUMNS = ("level", "items")
_LEVEL = re.compile(r"[1-9]\d{0,8}\Z")
# The index of etl.held_item takes 2,704 bytes with the name of the job. An item that failed and
# could not be held would keep its cycle's record from closing, and the next one's too.
_LONGEST_KEY = 2000
_SURELY_SHORT = _LONGEST_KEY // 4  # characters, of up to four bytes each


class Backlog:
    """What is dirty, for one cycle; everything it finds goes into the cycle's record.

    Args:
        connection: In autocommit.
        job: The job.
        record: The cycle's record; as_of and started_at are the time that counts as now.
        parameters: Values that process.sql gets beside the columns of prioritize.sql.

    Attributes:
        frozen: How much of each level is in the queue.
    """

    def __init__(
        self, connection: db.Connection, job: Job, record: CycleRecord, parameters: Iterable[str]
    ) -> None:
        self._connection = connection
        self._job = job
        self._record = record
        self._parameters = tuple(parameters)
        self.frozen: Counter[int] = Counter()

    @contextmanager
    def snapshot(self, lock_timeout: str = "5s") -> Generator[None]:
        """As ``db.snapshot``, with memory for a long list."""
        with db.snapshot(self._connection, lock_timeout):
            db.run(self._connection, shipped("session/set_listing"))
            yield

    def count(self, limit: ItemLimit) -> bool:
        """Count what is dirty by level and settle the limit.

        Returns:
            Whether the limit is that for catching up.
        """
        record, job = self._record, self._job
        for number in job.level_names:
            self._level(number)
        for number, items, since in self._rows(record.started_at):
            counts = self._level(number)
            counts.found, counts.oldest_dirty_at = items, since
        record.max_items, is_catch_up = limit.at(record.found)
        return is_catch_up

    def count_left(self, now: datetime) -> None:
        """Count what is dirty by level now that the cycle has done its work."""
        left = {number: (items, since) for number, items, since in self._rows(now)}
        for number in {*self._record.levels, *left}:
            counts = self._level(number)
            counts.left, counts.oldest_left_at = left.get(number, (0, None))

    def _rows(self, now: datetime) -> Iterator[tuple[int, int, datetime | None]]:
        """Level, items and the oldest date of each level."""
        statement = self._job.backlog
        given = {**self._job.values, "as_of": self._record.as_of, "now": now}
        rows = db.run(self._connection, statement, **given)
        columns = [column.name for column in rows.description or ()]
        if columns[:2] != list(_BACKLOG_COLUMNS):
            raise FileError(
                statement.path,
                None,
                "must return level, items and oldest_dirty_at",
                "Name the columns so, in this order.",
            )
        for row in rows:
            yield row[0], row[1], row[2] if len(row) > 2 else None

    def _values(self) -> dict[str, str | int]:
        values = self._job.values
        if "most" not in values:
            return values
        return {**values, "most": min(int(values["most"]), self._record.max_items)}

    def count_one(self) -> None:
        """Write down that the cycle is about one item, dirty or not."""
        self._record.levels = {0: LevelCount(0, self._job.level_name(0), found=1)}
        self._record.max_items = 1

    def freeze_one(self, queue: Buildable, item_key: str) -> int:
        """Put one item into the queue, dirty or not. Returns 1."""
        self.count_one()
        self.frozen[0] = 1
        return queue.build(_COLUMNS, [(item_key, 0)])

    def freeze(self, queue: Buildable, reserved_percent: int, budget: Budget) -> int:
        """Stream the prioritized items into the queue. Returns how many the cycle counts.

        Args:
            queue: The queue.
            reserved_percent: Share of it for the items that have been dirty longest.
            budget: Admits items as long as there is time for them.
        """
        statement = self._job.prioritize
        values = statement.bind(
            {
                **self._values(),
                "as_of": self._record.as_of,
                "now": self._record.started_at,
                "max_items": self._record.max_items,
                "reserved_percent": reserved_percent,
            }
        )
        cursor = self._connection.cursor()
        # Every value as the server writes it: process.sql gets it back in the same form.
        for kind in self._connection.adapters.types:
            cursor.adapters.register_loader(kind.oid, TextLoader)
            cursor.adapters.register_loader(kind.array_oid, TextLoader)
        size = _STREAM_ROWS if psycopg.capabilities.has_stream_chunked() else 1
        stream = cursor.stream(statement.text, values, size=size)
        with (
            db.explained(self._connection, statement),
            closing(cast(Generator[db.Row], stream)) as rows,
        ):
            first = list(itertools.islice(rows, 1))
            if not first:  # then psycopg does not tell the columns either
                return queue.build(_COLUMNS, [])
            columns = [column.name for column in cursor.description or ()]
            needed = (*_COLUMNS, *((WEIGHT, *_RANGE) if self._job.batches else ()))
            if not set(needed) <= set(columns):
                problem = f"must return {', '.join(needed[:-1])} and {needed[-1]}"
                raise FileError(statement.path, None, problem, f"It has {columns}.")
            self._job.process.bind(dict.fromkeys([*columns, *self._parameters]))
            every = itertools.chain(first, rows)
            queue.build(columns, self._counted(columns, every, budget))
            return self.frozen.total()

    def _counted(
        self, columns: list[str], rows: Iterable[db.Row], budget: Budget
    ) -> Iterator[db.Row]:
        """Check each row, and see to it that the levels have found what the queue holds.

        A key that comes twice is noticed where the two stand side by side, as a join that finds
        several rows leaves them in a total order: memory shall not grow with the queue.
        """
        key, level = (columns.index(name) for name in _COLUMNS)
        weight = columns.index(WEIGHT) if WEIGHT in columns else None
        bounds = [columns.index(name) for name in _RANGE] if self._job.batches else []
        record = self._record
        known: Counter[str | None] = Counter()
        listed = 0
        before: str | None = None
        for row in rows:
            text = row[key]
            if row[level] not in known or text is None or len(text) > _SURELY_SHORT:
                self._check(text, row[level])
            if text is not None and text == before:
                raise self._wrong(
                    f"returned the item_key {text[:60]!r} twice",
                    "Two workers would process it at once: GROUP BY the key, or join fewer rows.",
                )
            before = text
            self._check_range(text, [row[place] for place in bounds])
            try:
                if not budget.admits(row[weight] if weight is not None else None):
                    break
            except ValueError:
                raise self._wrong(
                    f"returned the weight {row[weight or 0][:60]!r}",
                    "It is a number from 0 on: how much work the item is.",
                ) from None
            size = record.size(row[weight]) if weight is not None else 1
            known[row[level]] += size
            listed += size
            yield row
            # A list of items ends by itself, one of ranges where they hold enough keys.
            if record.counts_keys and listed >= record.max_items:
                break
        for number, items in known.items():
            counts = self._level(int(number or 0))
            counts.found = max(counts.found, items)
            self.frozen[counts.level] = items

    def _check(self, key: str | None, level: str | None) -> None:
        is_key = key is not None and len(key.encode()) <= _LONGEST_KEY
        if is_key and _LEVEL.match(level or ""):
            return
        shown = [None if value is None else value[:60] for value in (key, level)]
        raise self._wrong(
            f"returned the item_key {shown[0]!r} with the level {shown[1]!r}",
            f"A key is a text of at most {_LONGEST_KEY:,} bytes, a level a whole number from 1.",
        )

    def _check_range(self, key: str | None, values: list[str | None]) -> None:
        if values and key != range_key(*values):
            raise self._wrong(
                f"returned the item_key {str(key)[:60]!r} with {', '.join(_RANGE)} {values!r}",
                "The key is etl.range_key(kind, first_key, last_key), first_key first.",
            )

    def _wrong(self, problem: str, hint: str) -> FileError:
        return FileError(self._job.prioritize.path, None, problem, hint)

    def _level(self, number: int) -> LevelCount:
        fresh = LevelCount(number, self._job.level_name(number))
        return self._record.levels.setdefault(number, fresh)
