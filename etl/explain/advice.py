"""From what is wrong to the command that mends it, tried before it is told where that can be."""

from dataclasses import replace

import psycopg

from etl import db
from etl.explain import index
from etl.explain.finding import Finding, Tables, Waste, misjudged, spilled, unvacuumed, wasted
from etl.explain.observe import Item, Listing, Query
from etl.sqlfile import shipped

Subject = Listing | Item
_LEAST_MB, _MOST_MB = 8, 1024


class Advisor:
    """Finds what is wrong, and what helps.

    Args:
        connection: In autocommit.
        tables: What the plans read.
        hypopg: The schema of the extension, quoted where it needs it; None: there is none.
    """

    def __init__(self, connection: db.Connection, tables: Tables, hypopg: str | None) -> None:
        self._connection = connection
        self._tables = tables
        self._hypopg = hypopg

    def advise(self, observed: dict[str, tuple[Subject | None, list[Query]]]) -> list[Finding]:
        """All findings, each command once.

        Args:
            observed: What was run, by its name, with the queries that it came to; None in
                place of what was run where it cannot be run again.
        """
        found: list[Finding] = []
        for subject, queries in observed.values():
            for waste in wasted(queries, self._tables):
                found += self._on_waste(waste, subject if isinstance(subject, Listing) else None)
            found += misjudged(queries, self._tables)
            found += unvacuumed(queries, self._tables)
            if subject is not None:
                found += self._on_spills(subject, queries)
        return _merged(found)

    def _on_waste(self, waste: Waste, listing: Listing | None) -> list[Finding]:
        scan = (waste.node, waste.table, waste.more)
        wanted = index.derive(*scan)
        # The planner knows one that serves, and has its reasons: a rule on statistics tells.
        if wanted is None or index.serving(wanted, *scan, is_valid=True):
            return []
        finding = Finding(
            "missing_index",
            [waste.query.subject],
            str(waste.table.name),
            f"{_way(waste)} reads {waste.read:,} rows of {waste.table.name} to keep {waste.kept:,}",
            "That grows with all that exists, not with what is wanted; an index leads there.",
        )
        broken = index.serving(wanted, *scan, is_valid=False)
        if broken is not None:
            why = (
                f"The index {broken.name} would serve, but it is invalid: the command that was to "
                "make it was cut off."
            )
            return [replace(finding, kind="invalid_index", why=why, command=broken.reindex)]
        command, to_try = index.command(self._connection, wanted)
        check = index.check(self._connection, self._hypopg, wanted, to_try, listing)
        return [] if check is None else [replace(finding, command=command, check=check)]

    def _on_spills(self, subject: Subject, queries: list[Query]) -> list[Finding]:
        """Sorts, hash tables and bitmaps that were too large, and how much would hold them all."""
        spills = [spill for query in queries for spill in spilled(query)]
        if not spills:
            return []
        command, check = self._enlarge(subject, max(size_kb for _, size_kb in spills))
        return [replace(finding, command=command, check=check) for finding, _ in spills]

    def _enlarge(self, subject: Subject, most_kb: int) -> tuple[str | None, str]:
        """The command that gives it the memory that holds all, and what trying that came to."""
        size_mb = _LEAST_MB
        while size_mb * 1024 < most_kb:
            size_mb *= 2
        while size_mb <= _MOST_MB:
            work_mem = f"{size_mb}MB"
            again = self._again(subject, work_mem)
            if again is None:
                return None, "unchecked: it could not be run again"
            if not any(True for query in again for _ in spilled(query)):
                statement = shipped("explain/work_mem_command")
                (command,) = db.one(self._connection, statement, work_mem=work_mem)
                return command, f"checked: with {work_mem} it stays in memory"
            size_mb *= 2
        return None, f"checked: {_MOST_MB} MB would not hold it either"

    def _again(self, subject: Subject, work_mem: str) -> list[Query] | None:
        try:
            queries = subject.observe(self._connection, work_mem)
        except psycopg.Error:  # an item that somebody has taken meanwhile
            return None
        return queries if all(query.ms is not None for query in queries) else None


def _way(waste: Waste) -> str:
    if waste.node.is_whole_scan:
        times = f", {waste.node.times:,} times" if waste.node.times > 1 else ""
        return f"a scan of the whole table{times}"
    return f"the index {', '.join(waste.node.indexes)} leads too far: the scan"


def _merged(found: list[Finding]) -> list[Finding]:
    """One for each command and table; those without a command as they are."""
    merged: dict[tuple[str | None, str | None, str], Finding] = {}
    for finding in found:
        key = (finding.command, finding.relation, "" if finding.command else finding.what)
        first = merged.get(key, finding)
        where = list(dict.fromkeys([*first.where, *finding.where]))
        merged[key] = replace(first, where=where)
    return list(merged.values())
