"""A plan as the server tells it in JSON, as a tree of nodes with totals over all loops.

Source: PostgreSQL manual, "Using EXPLAIN"; the keys are those of EXPLAIN (FORMAT JSON).
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from etl import db
from etl.sqlfile import Statement

_PLANNED = b"EXPLAIN (VERBOSE, SETTINGS, FORMAT JSON) "
_MEASURED = b"EXPLAIN (ANALYZE, BUFFERS, VERBOSE, SETTINGS, FORMAT JSON) "


class Name(NamedTuple):
    """A relation, by schema and name."""

    schema: str
    relation: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.relation}"


class Node:
    """One step of a plan.

    Args:
        raw: The object of the plan's JSON.
        parent: The step that it feeds; None for the last one.

    Attributes:
        kind: What it does, in the server's word, such as "Seq Scan".
        children: The steps that feed it.
        is_measured: It was run, not only planned.
        loops: How often it was run, by all processes together.
        times: How often it was run, where several processes at once count as one.
        rows: Rows that it gave, over all loops; where it was not run, the estimate.
        rows_a_loop: The same for one loop.
        estimate: Rows that the planner expected of one loop.
        cost: What the planner expects it and what feeds it to cost, in its own unit.
        ms: Time spent in it and what feeds it, all times together, milliseconds.
        removed: Rows that it read and threw away, over all loops.
    """

    def __init__(self, raw: dict[str, Any], parent: "Node | None" = None) -> None:
        self.raw = raw
        self.parent = parent
        self.kind: str = raw["Node Type"]
        self._processes: int = parent.processes_below if parent else 1
        self.children = [Node(child, self) for child in raw.get("Plans", [])]
        self.is_measured = "Actual Loops" in raw
        self.loops: float = raw.get("Actual Loops", 1)
        self.estimate: float = raw["Plan Rows"]
        self.cost: float = raw.get("Total Cost", 0.0)
        self.rows_a_loop: float = raw.get("Actual Rows", self.estimate)
        self.rows = round(self.rows_a_loop * self.loops)
        self.times = math.ceil(self.loops / self._processes)
        self.ms: float = raw.get("Actual Total Time", 0.0) * self.loops / self._processes
        self.removed = round(
            self.loops
            * (raw.get("Rows Removed by Filter", 0) + raw.get("Rows Removed by Index Recheck", 0))
        )

    @property
    def processes_below(self) -> int:
        """How many processes share the work of the steps that feed it."""
        if self.kind.startswith("Gather"):
            return 1 + int(self.raw.get("Workers Launched", 0))
        return self._processes

    @property
    def relation(self) -> Name | None:
        """The table that it reads, where it reads one."""
        if self.kind == "ModifyTable" or "Relation Name" not in self.raw:
            return None
        return Name(self.raw.get("Schema", ""), self.raw["Relation Name"])

    @property
    def alias(self) -> str:
        """What the table is called in conditions."""
        return str(self.raw.get("Alias", ""))

    @property
    def indexes(self) -> list[str]:
        """The indexes by which it reads its table; none: it reads the whole table."""
        if "Index Name" in self.raw:
            return [self.raw["Index Name"]]
        if self.kind.startswith("Bitmap"):
            return sorted({name for child in self.children for name in child.indexes})
        if self.kind in ("BitmapAnd", "BitmapOr"):
            return [name for child in self.children for name in child.indexes]
        return []

    @property
    def is_whole_scan(self) -> bool:
        """Whether it reads a table from one end to the other."""
        return self.kind == "Seq Scan"

    def blocks(self, kind: str) -> int:
        """Blocks of 8 kB that this step itself and nothing below it used.

        Args:
            kind: In the server's words: "Shared Hit", "Shared Read", "Temp Written".
        """
        key = f"{kind} Blocks"
        below = sum(child.raw.get(key, 0) for child in self.children)
        return max(0, int(self.raw.get(key, 0) - below))

    def every(self) -> "Iterator[Node]":
        """It and all steps below."""
        yield self
        for child in self.children:
            yield from child.every()

    def conditions(self, *keys: str) -> list[str]:
        """The conditions under these keys, of those that it has."""
        return [self.raw[key] for key in keys if key in self.raw]


def explained(statement: Statement, *, is_run: bool) -> Statement:
    """The statement that has the server tell the plan of this one, and run it if so wanted.

    EXPLAIN takes no parameter but those of the query that it stands before.
    """
    return replace(statement, text=(_MEASURED if is_run else _PLANNED) + statement.text)


def ask(
    connection: db.Connection, statement: Statement, values: Mapping[str, object], *, is_run: bool
) -> tuple[Node, float | None]:
    """Have a query explained. Returns its plan, and the milliseconds it took where it was run.

    Raises:
        FileError: The server refuses it.
    """
    (plans,) = db.one(connection, explained(statement, is_run=is_run), **values)
    return read(plans)


def read(plans: list[dict[str, Any]]) -> tuple[Node, float | None]:
    """What the server has answered to an EXPLAIN, as ``ask`` returns it."""
    return Node(plans[0]["Plan"]), plans[0].get("Execution Time")
