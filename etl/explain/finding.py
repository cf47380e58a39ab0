"""What is wrong with a plan: each rule names what was measured, why it matters, what mends it.

Every rule has a floor, below which nobody would notice: a small table is rightly read as a whole.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from etl.explain.observe import Query
from etl.explain.tables import Table
from etl.queryplan import Name, Node

MANY_ROWS = 1_000
MANY_BLOCKS = 100
"""0.8 MB: fewer are read in less time than an index is worth keeping for."""
_THROWN_AWAY = 0.9
_FAR_OFF = 10
_MANY_LOOPS = 10_000
_NOT_VISIBLE = 0.5

Tables = dict[Name, Table]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that costs more than it has to.

    Attributes:
        kind: missing_index, invalid_index, spill, lossy_bitmap,
            nested_loop, old_statistics or not_vacuumed.
        where: The statements in which it was seen.
        relation: The table; None where it is about none.
        what: What was measured.
        why: Why that matters.
        command: What mends it; None where nothing here does.
        check: What trying it came to, or that it was not tried.
    """

    kind: str
    where: list[str]
    relation: str | None
    what: str
    why: str
    command: str | None = None
    check: str = ""


@dataclass(frozen=True, slots=True)
class Waste:
    """A scan that reads many rows for a few.

    Attributes:
        query: In which statement.
        node: The scan.
        table: What it reads.
        read: Rows read, over all loops.
        kept: Rows of them that were wanted.
        more: Conditions of the join above that belong to the scan.
    """

    query: Query
    node: Node
    table: Table
    read: int
    kept: int
    more: tuple[str, ...] = field(default=())


def wasted(queries: Iterable[Query], tables: Tables) -> Iterator[Waste]:
    """The scans that throw away nearly all that they read, and read much."""
    for query, node, table in _scans(queries, tables):
        removed, more = _removed(node, table)
        kept = node.rows if not more else max(0, node.rows - removed)
        read = kept + removed
        if removed >= max(MANY_ROWS, _THROWN_AWAY * read) and _blocks(node) >= MANY_BLOCKS:
            yield Waste(query, node, table, read, kept, more)


def _scans(queries: Iterable[Query], tables: Tables) -> Iterator[tuple[Query, Node, Table]]:
    """The steps that read a table of which something is known."""
    for query in queries:
        for node in query.plan.every():
            if node.relation is not None and node.relation in tables:
                yield query, node, tables[node.relation]


def _removed(node: Node, table: Table) -> tuple[int, tuple[str, ...]]:
    """Rows thrown away, and the conditions of the join that did it, if one did."""
    if not node.is_measured:
        is_filtered = node.is_whole_scan and "Filter" in node.raw
        return (max(0, round(table.rows - node.rows)) if is_filtered else 0), ()
    join: Node | None = node.parent
    child = node
    while join is not None and join.kind in ("Materialize", "Memoize"):
        child, join = join, join.parent
    if not node.is_whole_scan:
        join = None
    is_inner = join is not None and join.kind == "Nested Loop" and child is join.children[-1]
    if join is not None and is_inner and child.loops > 1:
        by_join = round(join.raw.get("Rows Removed by Join Filter", 0) * join.loops)
        if by_join > node.removed:
            return by_join, tuple(join.conditions("Join Filter"))
    return node.removed, ()


def _blocks(node: Node) -> int:
    if not node.is_measured:
        return MANY_BLOCKS
    # The table's own, and those of the bitmap that led there.
    scans = [node, *(child for child in node.children if child.kind.startswith("Bitmap"))]
    return sum(scan.blocks(kind) for scan in scans for kind in ("Shared Hit", "Shared Read"))


def spilled(query: Query) -> Iterator[tuple[Finding, int]]:
    """The steps that did not fit into memory, and how many kB they would have taken."""
    for node in query.plan.every():
        lossy = node.raw.get("Lossy Heap Blocks", 0)
        if lossy and node.raw.get("Rows Removed by Index Recheck", 0):
            blocks = lossy + node.raw.get("Exact Heap Blocks", 0)
            table = str(node.relation)
            what = f"the bitmap of {table} kept only blocks, not rows, for {lossy:,} of {blocks:,}"
            why = "Each row of such a block is read and checked again."
            # A bitmap takes some 60 bytes for a block of the table.
            yield Finding("lossy_bitmap", [query.subject], table, what, why), blocks * 60 // 1024
        elif on_disk := _on_disk(node):
            what, size_kb = on_disk
            why = "Files are slower than memory, and every worker writes its own."
            yield Finding("spill", [query.subject], None, what, why), size_kb


def _on_disk(node: Node) -> tuple[str, int] | None:
    """What a step wrote to disk, and how many kB of memory would have held it."""
    raw = node.raw
    if raw.get("Sort Space Type") == "Disk":
        size_kb: int = raw["Sort Space Used"]
        return f"a sort of {node.rows:,} rows wrote {size_kb:,} kB to disk", size_kb
    parts: int = raw.get("Hash Batches", 1)
    if parts > 1:
        what = f"a hash table of {node.rows:,} rows was split into {parts} parts, all but one of "
        return f"{what}them on disk", raw.get("Peak Memory Usage", 0) * parts
    if size_kb := raw.get("Disk Usage", 0):
        return f"grouping {node.rows:,} rows wrote {size_kb:,} kB to disk", size_kb
    return None


def misjudged(queries: Iterable[Query], tables: Tables) -> Iterator[Finding]:
    """Plans made on statistics that are out of date, and that show it."""
    for query in queries:
        for node in query.plan.every():
            old = _old_tables(node, tables)
            if not node.is_measured or not old:
                continue
            outer = node.children[0] if node.kind == "Nested Loop" else None
            if outer is not None and _is_surprised(outer):
                what = (
                    f"a nested loop ran its inner side {outer.rows:,} times, where the planner "
                    f"expected {round(outer.estimate):,}"
                )
                why = "For so many rows a hash join is cheaper; the planner could not know"
                for table in _old_tables(outer, tables):
                    yield _stale(query, table, "nested_loop", what, why)
            elif node.relation is not None and _is_far_off(node):
                what = (
                    f"the planner expected {round(node.estimate):,} rows of {node.relation}, "
                    f"and {round(node.rows_a_loop):,} came"
                )
                why = "From a wrong number of rows follow wrong joins and sorts"
                yield _stale(query, old[0], "old_statistics", what, why)


def _is_surprised(node: Node) -> bool:
    return node.rows >= _MANY_LOOPS and node.rows_a_loop > _FAR_OFF * max(node.estimate, 1)


def _is_far_off(node: Node) -> bool:
    came, expected = node.rows_a_loop, node.estimate
    if abs(came - expected) * node.loops < MANY_ROWS:
        return False
    if came > _FAR_OFF * max(expected, 1):
        return True
    return expected > _FAR_OFF * max(came, 1) and not _may_stop_early(node)


def _may_stop_early(node: Node) -> bool:
    """Whether a step above may have stopped asking for rows: then fewer say nothing."""
    if "Subplan Name" in node.raw:
        return True
    above = node.parent
    return above is not None and (
        above.kind in ("Limit", "Merge Join", "Nested Loop") or _may_stop_early(above)
    )


def _stale(query: Query, table: Table, kind: str, what: str, why: str) -> Finding:
    since = "it was never analyzed"
    if table.rows >= 0:
        since = f"{table.changed:,} of its rows have changed since it was analyzed"
    why += f". {table.name} has old statistics: {since}."
    return Finding(kind, [query.subject], str(table.name), what, why, table.analyze)


def unvacuumed(queries: Iterable[Query], tables: Tables) -> Iterator[Finding]:
    """Index-only scans that had to look into the table all the same."""
    for query, node, table in _scans(queries, tables):
        fetched = round(node.raw.get("Heap Fetches", 0) * node.loops)
        if fetched >= max(MANY_ROWS, _NOT_VISIBLE * node.rows):
            yield Finding(
                "not_vacuumed",
                [query.subject],
                str(table.name),
                f"the index-only scan by {node.indexes[0]} gave {node.rows:,} rows and looked "
                f"{fetched:,} times into the table",
                "The index holds all that is read, but only VACUUM notes which blocks need no "
                "second look.",
                table.vacuum,
            )


def _old_tables(node: Node, tables: Tables) -> list[Table]:
    """The tables below a step whose statistics are out of date."""
    names = dict.fromkeys(one.relation for one in node.every())
    found = [tables[name] for name in names if name is not None and name in tables]
    return [table for table in found if table.has_old_statistics]
