"""From what is wrong to the command that mends it, tried before it is told where that can be."""

import psycopg

from etl import db
from etl.explain import index
from etl.explain.finding import Finding, Tables, Waste, misjudged, spilled, unvacuumed, wasted
from etl.explain.observe import Item, Listing, Query
from etl.sqlfile import shipped

Subject = Listing | Item
_LEAST_MB, _MOST_MB = 8, 1024
_UNCHECKED = "unchecked: this database has no extension hypopg"
_INSIDE = "unchecked: it is inside a procedure, and has no comparison for equality to try alone"


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
            for finding in (*misjudged(queries, self._tables), *unvacuumed(queries, self._tables)):
                finding.command = self._maintenance(finding)
                found.append(finding)
            if subject is not None:
                found += self._on_spills(subject, queries)
        return _merged(found)

    def _on_waste(self, waste: Waste, listing: Listing | None) -> list[Finding]:
        wanted = index.derive(waste.node, waste.table, waste.more)
        scan = (waste.table, waste.node, waste.more)
        if wanted is None:
            return []
        if index.serving(wanted, *scan, is_valid=True):
            return []  # the planner knows it, and has its reasons: a rule on statistics tells
        finding = Finding(
            "missing_index",
            [waste.query.subject],
            str(waste.table.name),
            f"{_way(waste)} reads {waste.read:,} rows of {waste.table.name} to keep {waste.kept:,}",
            "That grows with all that exists, not with what is wanted; an index leads there.",
        )
        broken = index.serving(wanted, *scan, is_valid=False)
        if broken is not None:
            finding.kind = "invalid_index"
            finding.why = (
                f"The index {broken.name} would serve, but it is invalid: the command that was to "
                "make it was cut off."
            )
            finding.command = f"REINDEX INDEX CONCURRENTLY {broken.name};"
            return [finding]
        finding.command, text = index.command(self._connection, wanted)
        finding.check = _UNCHECKED
        if self._hypopg is not None:
            trial = index.try_index(self._connection, self._hypopg, wanted, text, listing)
            if trial is not None and not trial.is_used:
                return []
            finding.check = _INSIDE if trial is None else _told(trial)
        return [finding]

    def _maintenance(self, finding: Finding) -> str:
        verb = "VACUUM" if finding.kind == "not_vacuumed" else "ANALYZE"
        table = next(one for one in self._tables.values() if str(one.name) == finding.relation)
        (command,) = db.one(
            self._connection,
            shipped("explain/maintenance_command"),
            verb=verb,
            schema=table.name.schema,
            relation=table.name.relation,
        )
        return str(command)

    def _on_spills(self, subject: Subject, queries: list[Query]) -> list[Finding]:
        """Sorts, hash tables and bitmaps that were too large, and how much would hold them all."""
        found: list[Finding] = []
        most = 0
        for query in queries:
            for node, words, size_kb, is_bitmap in spilled(query):
                most = max(most, size_kb)
                kind = "lossy_bitmap" if is_bitmap else "spill"
                name = str(node.relation) if is_bitmap else None
                why = (
                    "Each row of such a block is read and checked again."
                    if is_bitmap
                    else "Files are slower than memory, and every worker writes its own."
                )
                found.append(Finding(kind, [query.subject], name, words, why))
        if found:
            self._enlarge(subject, most, found)
        return found

    def _enlarge(self, subject: Subject, most_kb: int, found: list[Finding]) -> None:
        size_mb = _LEAST_MB
        while size_mb * 1024 < most_kb:
            size_mb *= 2
        while size_mb <= _MOST_MB:
            work_mem = f"{size_mb}MB"
            again = self._again(subject, work_mem)
            if again is None:
                for finding in found:
                    finding.check = "unchecked: it could not be run again"
                return
            if not any(True for query in again for _ in spilled(query)):
                statement = shipped("explain/work_mem_command")
                (command,) = db.one(self._connection, statement, work_mem=work_mem)
                for finding in found:
                    finding.command = str(command)
                    finding.check = f"checked: with {work_mem} it stays in memory"
                return
            size_mb *= 2
        for finding in found:
            finding.check = f"checked: {_MOST_MB} MB would not hold it either"

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


def _told(trial: index.Trial) -> str:
    of = "the cost of the statement" if trial.is_whole else "the cost of this read"
    return (
        f"checked with hypopg: the planner would use it, {of} goes from {trial.before:,.0f} to "
        f"{trial.after:,.0f}"
    )


def _merged(found: list[Finding]) -> list[Finding]:
    """One for each command and table; those without a command as they are."""
    merged: dict[tuple[str | None, str | None, str], Finding] = {}
    for finding in found:
        key = (finding.command, finding.relation, "" if finding.command else finding.what)
        first = merged.setdefault(key, finding)
        first.where += [where for where in finding.where if where not in first.where]
    return list(merged.values())
