"""What a query read, summed up from its plan."""

from dataclasses import dataclass

from etl.queryplan import Node

# What may be read for each dirty item, of one relation: once by what makes it dirty, once in a
# join, once for what is held, and some slack. Below so many rows nobody minds, and the planner
# rightly prefers to read a small table as a whole.
_ROWS_AN_ITEM = 4
_ROWS_ANYWAY = 1000


@dataclass(slots=True)
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


def read_plan(plan: Node) -> PlanReads:
    """Sum up a plan that was run."""
    found: dict[str, Reads] = {}
    for node in plan.every():
        if node.relation is not None:
            rows = node.rows + node.removed
            reads = found.setdefault(str(node.relation), Reads(str(node.relation), 0, 0, 0))
            reads.rows += rows
            reads.removed += node.removed
            reads.by_seq_scan += rows if node.is_whole_scan else 0
    return PlanReads(
        relations=sorted(found.values(), key=lambda reads: (-reads.rows, reads.relation)),
        sorts_on_disk=sum(node.raw.get("Sort Space Type") == "Disk" for node in plan.every()),
        temp_blocks=plan.raw.get("Temp Written Blocks", 0),
        hit_blocks=plan.raw.get("Shared Hit Blocks", 0),
        read_blocks=plan.raw.get("Shared Read Blocks", 0),
    )
