"""A plan in words: what it reads of each table, and its steps as an indented tree."""

from collections.abc import Iterator
from dataclasses import dataclass

from etl.explain.finding import MANY_ROWS
from etl.queryplan import Name, Node

_JOINS = {
    "Nested Loop": "by looking up each row of the first in the second",
    "Hash Join": "by a hash table",
    "Merge Join": "by merging two sorted inputs",
}
_MADE = {
    "Sort": "sort",
    "Incremental Sort": "sort what is sorted in part",
    "Aggregate": "group",
    "WindowAgg": "number rows in their order",
    "Limit": "stop after the first rows",
    "Unique": "drop duplicates",
    "SetOp": "compare two sets",
}


@dataclass(slots=True)
class Read:
    """What a query reads of one table in one way.

    Attributes:
        table: Its name.
        how: "by index …" or "whole".
        rows: Rows read, those thrown away among them.
        times: How often.
        hit: Blocks of 8 kB found in memory.
        read: Blocks that were not.
    """

    table: Name
    how: str
    rows: int
    times: int
    hit: int
    read: int


def reads(plan: Node) -> list[Read]:
    """What a plan reads of its tables, most rows first."""
    found: dict[tuple[Name, str], Read] = {}
    for node in plan.every():
        # The index part of a bitmap scan has no table; its blocks count for the part above.
        if node.relation is None or node.loops == 0:
            continue
        below = [one for one in node.every() if one.kind.startswith("Bitmap")] or [node]
        read = Read(
            node.relation,
            way(node),
            node.rows + node.removed,
            node.times,
            sum(one.blocks("Shared Hit") for one in below),
            sum(one.blocks("Shared Read") for one in below),
        )
        before = found.setdefault((read.table, read.how), read)
        if before is not read:
            before.rows += read.rows
            before.times += read.times
            before.hit += read.hit
            before.read += read.read
    return sorted(found.values(), key=lambda one: (-one.rows, one.table, one.how))


def way(node: Node) -> str:
    """How a scan gets at its rows."""
    if not node.indexes:
        return "as a whole"
    plural = "es" if len(node.indexes) > 1 else ""
    alone = " alone" if node.kind == "Index Only Scan" else ""
    return f"by index{plural} {', '.join(node.indexes)}{alone}"


def steps(node: Node, depth: int = 0, name: str = "") -> Iterator[tuple[int, str]]:
    """The steps that say something: reads of tables, joins of them, and work on many rows.

    Args:
        node: The last of them.
        depth: How far below the last one of the plan it is.
        name: What WITH calls it, where that is not said yet.

    Returns:
        The depth of each, and what it does.
    """
    # What WITH names is computed by a step of its own, however deep below it the first that
    # says something is.
    name = str(node.raw.get("Subplan Name", name)).removeprefix("CTE ")
    text = _text(node)
    if text is not None:
        yield depth, f"{name}: {text}" if name else text
        name, depth = "", depth + 1
    if node.relation is None or not node.kind.startswith("Bitmap"):
        for child in node.children:
            yield from steps(child, depth, name)


def _text(node: Node) -> str | None:
    size = _size(node)
    if node.kind == "ModifyTable":
        name = f"{node.raw.get('Schema', '')}.{node.raw.get('Relation Name', '')}"
        return f"{node.raw.get('Operation', 'write').lower()} {name}"
    if node.relation is not None:
        removed = f", {node.removed:,} more thrown away" if node.removed else ""
        return f"read {node.relation} {way(node)}: {size}{removed}"
    if node.kind in _JOINS and sum(_has_table(child) for child in node.children) > 1:
        join = node.raw.get("Join Type", "Inner").lower()
        return f"{join} join {_JOINS[node.kind]}: {size}"
    if node.kind in _MADE and (
        node.rows >= MANY_ROWS or (node.kind == "Limit" and _has_table(node))
    ):
        return f"{_MADE[node.kind]}{_by(node)}: {size}{_memory(node)}"
    return None


def _has_table(node: Node) -> bool:
    return any(one.relation is not None for one in node.every())


def _size(node: Node) -> str:
    if not node.is_measured:
        return f"about {round(node.estimate):,} rows expected"
    if node.loops == 0:
        return "never run"
    times = f", {node.times:,} times" if node.times > 1 else ""
    return f"{node.rows:,} row{'' if node.rows == 1 else 's'}{times}, {node.ms:,.1f} ms"


def _by(node: Node) -> str:
    keys = node.raw.get("Sort Key") or node.raw.get("Group Key")
    return f" by {', '.join(keys)}" if keys and len(", ".join(keys)) <= 60 else ""


def _memory(node: Node) -> str:
    size = node.raw.get("Sort Space Used")
    where = "on disk" if node.raw.get("Sort Space Type") == "Disk" else "of memory"
    return "" if size is None else f", {size:,} kB {where}"
