"""What a query read, from its EXPLAIN (ANALYZE, BUFFERS, VERBOSE, FORMAT JSON)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# What may be read for each dirty item, of one relation: once by what makes it dirty, once in a
# join, once for what is held, and some slack. Below so many rows nobody minds, and the planner
# rightly prefers to read a small table as a whole.
_ROWS_AN_ITEM = 4
_ROWS_ANYWAY = 1000


@dataclass(frozen=True, slots=True)
class Reads:
    """What a query read of one relation.

    Attributes:
        relation: Its name, with its schema.
        rows: Rows read, those that a filter or a recheck threw away among them.
        removed: Rows thrown away.
        by_seq_scan: Rows read by sequential scans.
    """

    relation: str
    rows: int
    removed: int
    by_seq_scan: int


@dataclass(frozen=True, slots=True)
class PlanReads:
    """What a query read, wrote aside, and took from disk.

    Attributes:
        relations: What was read of each relation, most first.
        sorts_on_disk: Sorts that did not fit into work_mem.
        temp_blocks: Blocks written to temporary files, also by other nodes.
        hit_blocks: Blocks found in shared buffers.
        read_blocks: Blocks that were not, and came from the system's cache or the disk.
    """

    relations: list[Reads]
    sorts_on_disk: int
    temp_blocks: int
    hit_blocks: int
    read_blocks: int

    @property
    def rows(self) -> int:
        """Rows read, of all relations."""
        return sum(reads.rows for reads in self.relations)

    def beyond(self, items: int) -> list[Reads]:
        """Relations of which more was read than a backlog of so many items explains."""
        return [
            reads
            for reads in self.relations
            if reads.rows > max(_ROWS_ANYWAY, _ROWS_AN_ITEM * items)
        ]


def read_plan(plan: dict[str, Any]) -> PlanReads:
    """Sum up a plan.

    Args:
        plan: The value of "Plan", with what was measured.
    """
    found: dict[str, Reads] = {}
    sorts_on_disk = 0
    for node in _nodes(plan):
        sorts_on_disk += node.get("Sort Space Type") == "Disk"
        if node["Node Type"].endswith("Scan") and "Relation Name" in node:
            reads = _of(node)
            before = found.get(reads.relation, Reads(reads.relation, 0, 0, 0))
            found[reads.relation] = Reads(
                reads.relation,
                before.rows + reads.rows,
                before.removed + reads.removed,
                before.by_seq_scan + reads.by_seq_scan,
            )
    return PlanReads(
        relations=sorted(found.values(), key=lambda reads: (-reads.rows, reads.relation)),
        sorts_on_disk=sorts_on_disk,
        temp_blocks=plan.get("Temp Written Blocks", 0),
        hit_blocks=plan.get("Shared Hit Blocks", 0),
        read_blocks=plan.get("Shared Read Blocks", 0),
    )


def _of(node: dict[str, Any]) -> Reads:
    loops = node["Actual Loops"]
    by_filter = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    removed = round(by_filter * loops)
    rows = round(node["Actual Rows"] * loops) + removed
    return Reads(
        relation=f"{node.get('Schema', '?')}.{node['Relation Name']}",
        rows=rows,
        removed=removed,
        by_seq_scan=rows if node["Node Type"] == "Seq Scan" else 0,
    )


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from _nodes(child)
