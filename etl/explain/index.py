"""The index that a scan lacks: derived from its conditions, tried where hypopg is installed."""

import json
from dataclasses import asdict, dataclass

from etl import db, queryplan
from etl.explain.condition import Asked, columns_in, parts, read
from etl.explain.observe import Listing, rolled_back
from etl.explain.tables import Index, Table
from etl.queryplan import Node
from etl.sqlfile import shipped

_CONDITIONS = ("Filter", "Index Cond", "Recheck Cond")
# Where a key leaves so few rows, a further column in the index saves nothing.
_FEW_ROWS = 100
_UNKNOWN_DISTINCT = 200.0  # the planner's own assumption
_MOST_INCLUDED = 8
_UNCHECKED = "unchecked: this database has no extension hypopg"
_INSIDE = "unchecked: it is inside a procedure, and has no comparison for equality to try alone"


@dataclass(frozen=True, slots=True)
class Wanted:
    """An index that would serve a scan.

    Attributes:
        schema: Of the table.
        relation: The table.
        keys: Columns in order.
        include: Columns that only need to be read.
        states: The predicate: columns with the state that each has to have.
        equal: Those of the keys that are compared for equality.
    """

    schema: str
    relation: str
    keys: list[str]
    include: list[str]
    states: list[tuple[str, str]]
    equal: list[str]


def derive(node: Node, table: Table, more: tuple[str, ...] = ()) -> Wanted | None:
    """The index that a scan lacks.

    Args:
        node: The scan.
        table: What it reads.
        more: Further conditions on the rows, of the join above it.

    Returns:
        None where no condition can be read from a plain index.
    """
    conditions = [*node.conditions(*_CONDITIONS), *more]
    asked = read(conditions, node.alias)
    keys, few = _keys(asked, table)
    states = [] if few else [state for state in asked.states if state[0] in table.columns]
    equal = [key for key in keys if key in asked.equal]
    if not keys:
        if not states:
            return None
        keys = table.primary_key or list(table.columns)[:1]
    needed = columns_in([*node.raw.get("Output", []), *conditions], node.alias)
    include = sorted(needed - {*keys, *(column for column, _ in states)})
    if not _may_include(table, needed, include):
        include = []
    return Wanted(*table.name, keys=keys, include=include, states=states, equal=equal)


def _keys(asked: Asked, table: Table) -> tuple[list[str], bool]:
    """The key columns, those first that leave the fewest rows, and whether they leave few."""

    def distinct(column: str) -> float:
        return table.columns[column].distinct or _UNKNOWN_DISTINCT

    keys: list[str] = []
    left = max(table.rows, 0)
    equal = {column for column in asked.equal if column in table.columns}
    for column in sorted(equal, key=lambda name: (-distinct(name), name)):
        if keys and left <= _FEW_ROWS:
            break
        keys.append(column)
        left /= max(distinct(column), 1)
    within = [column for column in asked.within if column in table.columns and column not in keys]
    if within and (not keys or left > _FEW_ROWS):
        return [*keys, within[0]], True
    return keys, bool(keys) and left <= _FEW_ROWS


def _may_include(table: Table, needed: set[str], include: list[str]) -> bool:
    """Whether the index may hold all that is read, so that the table is not.

    Not where rows are updated: each column more in an index makes more updates costly.
    """
    return (
        table.is_append_only
        and len(include) <= _MOST_INCLUDED
        and needed < set(table.columns)
        and all(table.columns[column].is_short for column in needed)
    )


def serving(
    wanted: Wanted, node: Node, table: Table, more: tuple[str, ...] = (), *, is_valid: bool
) -> Index | None:
    """An index that exists and should serve the scan as well; arguments as of ``derive``."""
    conditions = [*node.conditions(*_CONDITIONS), *more]
    asked = read(conditions, node.alias)
    held = {
        part.replace(f"{node.alias}.", "") for condition in conditions for part in parts(condition)
    }
    held |= {f"{column} IS NOT NULL" for column in (*asked.equal, *asked.within)}
    # What the index in use promises by itself is no condition of the plan any more.
    for index in table.indexes:
        if index.bare_name in node.indexes and index.predicate:
            held |= set(parts(index.predicate))
    for index in table.indexes:
        of = set(parts(index.predicate)) if index.predicate else set[str]()
        leads = index.keys[: len(wanted.keys)]
        has_keys = set(leads) == set(wanted.keys)
        if wanted.states and not wanted.equal:
            has_keys = bool(of)
        if index.is_valid == is_valid and of <= held and has_keys:
            return index
    return None


def command(connection: db.Connection, wanted: Wanted) -> tuple[str, str]:
    """The text of the index: to paste, and to try."""
    text = json.dumps(asdict(wanted))
    to_paste, to_try = db.one(connection, shipped("explain/index_text"), wanted=text)
    return to_paste, to_try


def check(
    connection: db.Connection,
    hypopg: str | None,
    wanted: Wanted,
    text: str,
    listing: Listing | None,
) -> str | None:
    """What trying an index came to, or that it was not tried.

    Args:
        connection: In autocommit.
        hypopg: The schema of the extension, quoted where it needs it; None: there is none.
        wanted: The index.
        text: Its CREATE INDEX.
        listing: The statement that lacks it; None where it stands inside a procedure: then
            reading the table by the same columns is planned.

    Returns:
        None where the planner would not use it.
    """
    if hypopg is None:
        return _UNCHECKED
    if listing is None and not wanted.equal and not wanted.states:
        return _INSIDE
    with listing.reading(connection) if listing else rolled_back(connection, is_read_only=True):
        before = _plan(connection, wanted, listing)
        db.run(connection, shipped("explain/find_hypopg"), schema=hypopg)
        (name,) = db.one(connection, shipped("explain/create_hypothetical"), index=text)
        try:
            after = _plan(connection, wanted, listing)
        finally:
            db.run(connection, shipped("explain/forget_hypothetical"))
    if after.cost >= before.cost or not any(name in node.indexes for node in after.every()):
        return None
    of = "the cost of the statement" if listing else "the cost of this read"
    return (
        f"checked with hypopg: the planner would use it, {of} goes from {before.cost:,.0f} to "
        f"{after.cost:,.0f}"
    )


def _plan(connection: db.Connection, wanted: Wanted, listing: Listing | None) -> Node:
    if listing is not None:
        return listing.explain(connection, is_run=False).plan
    db.run(connection, shipped("explain/set_probe"), wanted=json.dumps(asdict(wanted)))
    db.run(connection, shipped("explain/probe"))
    (plans,) = db.one(connection, shipped("explain/probed_plan"))
    return queryplan.read(plans)[0]
