"""``etl explain``: the plans of a job's statements, and what would make them cheaper."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import psycopg

from etl import db, deploy
from etl.errors import UsageError
from etl.explain.advice import Advisor, Subject
from etl.explain.finding import Finding, Tables
from etl.explain.observe import Item, Listing, Query
from etl.explain.tables import look_up
from etl.job import Job
from etl.ledger import rounds
from etl.sqlfile import shipped

_DENIED, _BUSY, _CANCELLED = "42501", "55P03", "57014"
_MISSING, _BAD_KEYS = "P0002", ("22P02", "22003")
_NAMED = "named"
_NO_LOOK_INSIDE = (
    "What the statement does inside a procedure is told by the server's module auto_explain, which "
    "this login may not use. A superuser allows it by: ALTER ROLE {role} IN DATABASE {database} "
    "SET session_preload_libraries = 'auto_explain'; and GRANT SET ON PARAMETER "
    "auto_explain.log_min_duration, auto_explain.log_analyze, auto_explain.log_buffers, "
    "auto_explain.log_verbose, auto_explain.log_nested_statements, auto_explain.log_format, "
    "auto_explain.log_level, auto_explain.log_timing, auto_explain.sample_rate TO {role};"
)

Row = dict[str, str | None]


@dataclass(slots=True)
class Explanation:
    """What a job's statements read, and what is wrong with them.

    Attributes:
        job: Its name.
        as_of: The day that counted as today.
        item_key: The item that was processed and rolled back; None: there was none to process.
        why_this_item: "named", "first in order", or "done last", because none is dirty.
        queries: What was run.
        tables: What the catalogue says of the tables that they read.
        findings: What is wrong, with what mends it.
        has_hypopg: Whether suggestions could be tried.
        note: Why the item's statement, or what is inside it, could not be explained; or empty.
        has_failed: The item's statement came to another end than done.
    """

    job: str
    as_of: date
    item_key: str | None = None
    why_this_item: str = ""
    queries: list[Query] = field(default_factory=list[Query])
    tables: Tables = field(default_factory=Tables)
    findings: list[Finding] = field(default_factory=list[Finding])
    has_hypopg: bool = False
    note: str = ""
    has_failed: bool = False


def explain(
    connection: db.Connection,
    job: Job,
    as_of: date,
    limits: Mapping[str, int],
    only_key: str | None = None,
) -> Explanation:
    """Explain the listing, the count and one item's statement of a job.

    Args:
        connection: In autocommit.
        job: The job.
        as_of: The day that counts as today, UTC.
        limits: max_items and reserved_percent, as a cycle would have them.
        only_key: The item whose statement is run; else the first in order, else the last done.

    Raises:
        EtlError: The listing cannot be run, or the item that was asked for does not exist.
    """
    deploy.require_current(connection, job)
    job = rounds.expected(connection, job)
    found = Explanation(job.name, as_of)
    now: dict[str, object] = {**job.values, "as_of": as_of, "now": datetime.now(UTC)}
    observed: dict[str, tuple[Subject | None, list[Query]]] = {}
    for subject, statement, values in (
        ("prioritization", job.prioritize, {**now, **limits}),
        ("backlog count", job.backlog, now),
    ):
        listing = Listing(subject, statement, values, job.statement_timeout_s)
        observed[subject] = (listing, listing.observe(connection))

    is_superuser, may_set, role, database, hypopg = db.one(
        connection, shipped("explain/may_look_inside")
    )
    row, found.why_this_item = _choose(connection, job, {**now, **limits}, only_key)
    if row is None:
        found.note = (
            f"No {job.unit} is dirty and none is known to have been done: name one by --item, to "
            "see its statement."
        )
    else:
        found.item_key = row["item_key"]
        values = {**row, **job.parameters(as_of)}
        item = Item(f"{job.unit} {found.item_key}", job, values, is_superuser)
        may_look = is_superuser or bool(may_set)
        found.note = "" if may_look else _NO_LOOK_INSIDE.format(role=role, database=database)
        try:
            observed[item.subject] = _run_item(connection, item, may_look=may_look)
        except psycopg.Error as error:
            found.has_failed, found.note = _failure(connection, error, item, found.why_this_item)

    found.queries = [query for _, queries in observed.values() for query in queries]
    names = [node.relation for query in found.queries for node in query.plan.every()]
    found.tables = look_up(connection, {name for name in names if name is not None})
    found.has_hypopg = hypopg is not None
    found.findings = Advisor(connection, found.tables, hypopg).advise(observed)
    return found


def _choose(
    connection: db.Connection, job: Job, values: Mapping[str, object], only_key: str | None
) -> tuple[Row | None, str]:
    """The item whose statement is run, as a row of the listing, and why this one; None: none."""
    if only_key is not None:
        return {"item_key": only_key, "level": "0"}, _NAMED
    listing = Listing("", job.prioritize, {**values, "max_items": 1}, job.statement_timeout_s)
    with listing.reading(connection):
        row = _first(db.run(connection, job.prioritize, **listing.values))
    if row is not None:
        return row, "first in order"
    done = db.run(connection, shipped("explain/last_done"), job=job.name).fetchone()
    return (None, "") if done is None else ({"item_key": done[0], "level": "0"}, "done last")


def _first(cursor: "psycopg.Cursor[db.Row]") -> Row | None:
    """The first row, every value as the server writes it."""
    result = cursor.pgresult
    if result is None or result.ntuples == 0:
        return None
    values = [result.get_value(0, place) for place in range(result.nfields)]
    names = [column.name for column in cursor.description or ()]
    return {
        name: None if value is None else value.decode()
        for name, value in zip(names, values, strict=True)
    }


def _run_item(
    connection: db.Connection, item: Item, *, may_look: bool
) -> tuple[Subject | None, list[Query]]:
    if may_look:
        return item, item.observe(connection)
    is_call = item.job.process.text.lstrip()[:4].upper() == b"CALL"
    return None, [] if is_call else item.explain(connection)


def _failure(
    connection: db.Connection, error: psycopg.Error, item: Item, why_this_item: str
) -> tuple[bool, str]:
    """Whether the item's statement has failed, and why it came to no end.

    Raises:
        UsageError: The item that was asked for does not exist.
        DatabaseUnreachableError: The connection is lost.
    """
    if connection.closed:
        raise db.unreachable("the server", error) from error
    state = error.sqlstate or ""
    reason = error.diag.message_primary or " ".join(str(error).split())
    is_unknown = state == _MISSING or (
        state in _BAD_KEYS and str(item.values["item_key"]) in reason
    )
    if why_this_item == _NAMED and is_unknown:
        raise UsageError(reason, f"Check the key of the {item.job.unit}.") from error
    if state == _DENIED:
        return False, (
            f"This login may not run the statement of {item.subject}: {reason}. Connect as a "
            "member of etl_runner to see what it does."
        )
    what = {
        _BUSY: "is held by somebody else; name another one by --item",
        _CANCELLED: f"took longer than the statement timeout ({item.job.statement_timeout_s:g} s)",
    }.get(state, "failed")
    return True, f"The statement of {item.subject} {what}: {reason} [{state}]."
