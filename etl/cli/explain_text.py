"""What ``etl explain`` prints."""

import textwrap
from dataclasses import asdict
from typing import Any

from etl.cli.output import printable
from etl.cli.words import counted
from etl.explain.explanation import Explanation
from etl.explain.finding import Finding
from etl.explain.observe import Query
from etl.explain.words import Read, reads, steps
from etl.job import Job

_WIDTH = 98
_LONGEST_TEXT = 70


def as_object(found: Explanation) -> dict[str, Any]:
    """The object that ``--json`` prints; docs/json/explain.schema.json describes it."""
    return {
        "job": found.job,
        "as_of": found.as_of,
        "item_key": found.item_key,
        "item_chosen": found.why_this_item or None,
        "queries": [
            {
                "subject": query.subject,
                "text": query.text,
                "times": query.times,
                "ms": query.ms,
                "blocks_hit": query.plan.raw.get("Shared Hit Blocks", 0),
                "blocks_read": query.plan.raw.get("Shared Read Blocks", 0),
                "reads": [
                    {
                        "table": str(read.table),
                        "how": read.how,
                        "rows": read.rows,
                        "of_rows": _of_rows(found, read),
                        "times": read.times,
                        "blocks_hit": read.hit,
                        "blocks_read": read.read,
                    }
                    for read in reads(query.plan)
                ],
                "steps": [{"depth": depth, "text": text} for depth, text in steps(query.plan)],
            }
            for query in found.queries
        ],
        "findings": [asdict(finding) for finding in found.findings],
        "has_hypopg": found.has_hypopg,
        "note": found.note or None,
    }


def as_text(found: Explanation, job: Job) -> str:
    """The explanation for a person, as lines."""
    lines = [f"{job.title}, as of {found.as_of}: all of this was run and rolled back."]
    subject = ""
    for query in found.queries:
        if query.subject != subject:
            subject = query.subject
            lines += ["", printable(_title(found, job, subject))]
        lines += [printable(line) for line in _query(found, query)]
    if found.note:
        lines += ["", *_filled(printable(found.note), "")]
    lines.append("")
    for number, finding in enumerate(found.findings, 1):
        lines += [*_finding(number, finding), ""]
    count = len(found.findings)
    verdict = (
        f"{counted(count, 'finding')}." if count else "Nothing found that would make it cheaper."
    )
    return "\n".join([*lines, verdict])


def _title(found: Explanation, job: Job, subject: str) -> str:
    if subject != f"{job.unit} {found.item_key}":
        return subject.capitalize()
    why = {"first in order": "the first in order", "done last": "none is dirty; it was done last"}
    told = why.get(found.why_this_item)
    return f"{subject.capitalize()}{f' ({told})' if told else ''}"


def _query(found: Explanation, query: Query) -> list[str]:
    text = textwrap.shorten(query.text, _LONGEST_TEXT, placeholder=" …")
    times = f", {query.times:,} times" if query.times > 1 else ""
    if query.ms is None:
        took = "took too long to be measured: what the planner expects of it"
    else:
        hit, read = (query.plan.raw.get(f"Shared {kind} Blocks", 0) for kind in ("Hit", "Read"))
        took = f"{query.ms:,.1f} ms{times}, {counted(hit, 'block')} from memory, {read:,} from disk"
        took += " or the system's cache"
    lines = [f"  {text}", f"    {took}"]
    lines += [f"    {_read(found, read)}" for read in reads(query.plan)]
    told = [f"      {'  ' * depth}{step}" for depth, step in steps(query.plan)]
    if len(told) > 1:
        lines += ["    how:", *told]
    return lines


def _of_rows(found: Explanation, read: Read) -> int | None:
    table = found.tables.get(read.table)
    return None if table is None or table.rows < 0 else round(table.rows)


def _read(found: Explanation, read: Read) -> str:
    rows = _of_rows(found, read)
    of = "" if rows is None else f" of about {rows:,}"
    times = f" in {read.times:,} goes" if read.times > 1 else ""
    return (
        f"reads {read.table} {read.how}: {read.rows:,}{of} rows{times}, "
        f"{counted(read.hit + read.read, 'block')}"
    )


def _finding(number: int, finding: Finding) -> list[str]:
    head = f"{number}. {', '.join(finding.where)}: {finding.what}."
    lines = _filled(printable(head), "   ", first="")
    lines += _filled(printable(finding.why), "   ")
    if finding.command:
        lines.append(printable(f"     {finding.command}"))
    if finding.check:
        lines += _filled(printable(f"({finding.check})"), "   ")
    return lines


def _filled(text: str, indent: str, first: str | None = None) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
