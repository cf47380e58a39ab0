"""What the catalogue and the statistics say of the tables of a plan."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from etl import db
from etl.queryplan import Name
from etl.sqlfile import shipped

# What autovacuum waits for before it analyzes a table, by default.
_CHANGED_ROWS = 50
_CHANGED_SHARE = 0.1
_REWRITTEN_SHARE = 0.01
_TELLING_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class Index:
    """An index of a table.

    Attributes:
        name: With its schema, quoted where it needs it.
        bare_name: As plans tell it.
        keys: Its columns in order; None for an expression.
        predicate: Of which rows it is; empty: of all.
        is_valid: False where CREATE INDEX CONCURRENTLY was cut off.
        reindex: The command that makes it valid again.
    """

    name: str
    bare_name: str
    keys: list[str | None]
    predicate: str
    is_valid: bool
    reindex: str


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        is_short: Every value takes the same few bytes.
        distinct: How many values it has, as the statistics say; None where they do not.
    """

    is_short: bool
    distinct: float | None


@dataclass(frozen=True, slots=True)
class Table:
    """A table that a plan reads.

    Attributes:
        name: Schema and name.
        rows: How many it has, as the planner believes; -1 where it was never analyzed.
        changed: Rows that changed since the last ANALYZE.
        written: Rows inserted, as far as the server's counters go back.
        rewritten: Rows updated or deleted.
        analyze: The command that analyzes it.
        vacuum: The command that vacuums it.
        primary_key: Its columns in order, or none.
        columns: By name.
        indexes: All of them.
    """

    name: Name
    rows: float
    changed: int
    written: int
    rewritten: int
    analyze: str
    vacuum: str
    primary_key: list[str]
    columns: dict[str, Column]
    indexes: list[Index]

    @property
    def has_old_statistics(self) -> bool:
        """Whether so much has changed that autovacuum should have analyzed it.

        When it last did is forgotten by a crash, and never known on a standby: it says nothing.
        """
        if self.rows < 0:
            return True
        return self.changed > _CHANGED_ROWS + _CHANGED_SHARE * max(self.rows, 0)

    @property
    def is_append_only(self) -> bool:
        """Whether next to no row is ever updated: then a wider index costs no update."""
        return self.written >= _TELLING_ROWS and self.rewritten <= _REWRITTEN_SHARE * self.written


def look_up(connection: db.Connection, names: Iterable[Name]) -> dict[Name, Table]:
    """Read about tables. Those that do not exist any more are left out."""
    asked = json.dumps([{"schema": name.schema, "relation": name.relation} for name in names])
    found: dict[Name, Table] = {}
    for schema, relation, *facts, columns, indexes in db.run(
        connection, shipped("explain/relations"), names=asked
    ):
        facts += [
            {key: Column(**value) for key, value in columns.items()},
            [Index(**index) for index in indexes],
        ]
        name = Name(schema, relation)
        found[name] = Table(name, *facts)  # in the order of the query
    return found
