"""Runs a job's statements so that the server tells their plans, and takes everything back."""

import json
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg.errors import Diagnostic

from etl import db, queryplan
from etl.errors import FileError
from etl.job import Job
from etl.queryplan import Node
from etl.sqlfile import Statement, shipped

_TOLD = re.compile(r"[^\n]*?(?P<ms>\d+\.\d+) ms[^\n]*\n(?P<plan>\{.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Query:
    """One query as the server ran it.

    Attributes:
        subject: What it belongs to: "prioritization", "backlog count", "user 42".
        text: Its own text, on one line; of a file's statement, the file's name.
        times: How often it was run.
        ms: What all of that took, milliseconds; None where it was planned and not run.
        plan: Its plan; where it was run more than once, the one that took longest.
    """

    subject: str
    text: str
    times: int
    ms: float | None
    plan: Node


@dataclass(frozen=True, slots=True)
class Listing:
    """A query of the job's own that lists or counts: it is explained by itself.

    Attributes:
        subject: What it is.
        statement: The query.
        values: Of its variables.
        timeout_s: How long it may take, seconds.
    """

    subject: str
    statement: Statement
    values: Mapping[str, object]
    timeout_s: float

    def observe(self, connection: db.Connection, work_mem: str | None = None) -> list[Query]:
        """Run it, with the settings of a cycle's supervisor. Where that takes too long, plan it.

        Args:
            connection: In autocommit.
            work_mem: What a sort may take, in PostgreSQL's notation; else as in a cycle.

        Raises:
            FileError: The server refuses it.
        """
        try:
            with self.reading(connection, work_mem):
                return [self.explain(connection, is_run=True)]
        except FileError as error:
            if not isinstance(error.__cause__, psycopg.errors.QueryCanceled):
                raise
        with self.reading(connection, work_mem):
            return [self.explain(connection, is_run=False)]

    @contextmanager
    def reading(self, connection: db.Connection, work_mem: str | None = None) -> Generator[None]:
        """A transaction as that of a cycle's supervisor, which only reads."""
        with rolled_back(connection, is_read_only=True):
            db.run(connection, shipped("session/set_listing"))
            timeout = f"{self.timeout_s * 1000:.0f}ms"
            db.run(connection, shipped("session/set_statement_timeout"), statement_timeout=timeout)
            set_work_mem(connection, work_mem)
            yield

    def explain(self, connection: db.Connection, *, is_run: bool) -> Query:
        """Run or plan it, inside ``reading``; hypothetical indexes of the session count."""
        plan, ms = queryplan.ask(connection, self.statement, self.values, is_run=is_run)
        return Query(self.subject, self.statement.path.name, 1, ms, plan)


@dataclass(frozen=True, slots=True)
class Item:
    """One item's statement. What happens inside a procedure is told by auto_explain.

    Attributes:
        subject: "user 42".
        job: The job.
        values: Of the variables of its statement.
        is_superuser: Whether the session may load the module.
    """

    subject: str
    job: Job
    values: Mapping[str, object]
    is_superuser: bool

    def observe(self, connection: db.Connection, work_mem: str | None = None) -> list[Query]:
        """Process the item as a worker does, and roll it back.

        Args:
            connection: In autocommit.
            work_mem: What a sort may take, in PostgreSQL's notation; else as in a worker.

        Raises:
            psycopg.Error: The item came to another end than done.
        """
        statement = self.job.process
        values = statement.bind(self.values)
        notices: list[str] = []

        def hear(notice: Diagnostic) -> None:
            notices.append(notice.message_primary or "")

        with rolled_back(connection, is_read_only=False):
            settings = self.job.session_settings()
            db.run(connection, shipped("session/set_worker_session"), **settings)
            set_work_mem(connection, work_mem)
            if self.is_superuser:
                db.run(connection, shipped("explain/load_auto_explain"))
            db.run(connection, shipped("explain/tell_plans"))
            connection.add_notice_handler(hear)
            try:
                connection.execute(statement.text, values)
            finally:
                connection.remove_notice_handler(hear)
        return _queries(self.subject, notices)

    def explain(self, connection: db.Connection) -> list[Query]:
        """The plan of the statement itself; what it calls stays unknown.

        Raises:
            psycopg.Error: It cannot be explained (a CALL), or came to another end than done.
        """
        statement = queryplan.explained(self.job.process, is_run=True)
        with rolled_back(connection, is_read_only=False):
            cursor = connection.execute(statement.text, statement.bind(self.values))
            ((plans,),) = cursor.fetchall()
        plan, ms = queryplan.read(plans)
        return [Query(self.subject, statement.path.name, 1, ms, plan)]


def _queries(subject: str, notices: list[str]) -> list[Query]:
    """The plans among notices, one for each text, in the order in which they ended first."""
    runs: dict[str, list[tuple[float, Node]]] = {}
    for told in filter(None, map(_TOLD.match, notices)):
        try:
            plan = json.loads(told["plan"])
            node = Node(plan["Plan"])
        except (ValueError, KeyError):  # a notice of the job's own that looks alike
            continue
        text = " ".join(plan.get("Query Text", "").split())
        runs.setdefault(text, []).append((float(told["ms"]), node))
    return [
        Query(subject, text, len(of), sum(ms for ms, _ in of), max(of, key=lambda run: run[0])[1])
        for text, of in runs.items()
    ]


@contextmanager
def rolled_back(connection: db.Connection, *, is_read_only: bool) -> Generator[None]:
    """A transaction of which nothing stays, its settings neither."""
    connection.read_only = is_read_only
    try:
        with connection.transaction(force_rollback=True):
            yield
    finally:
        if not connection.closed:
            connection.read_only = None


def set_work_mem(connection: db.Connection, work_mem: str | None) -> None:
    """Let sorts of this transaction take so much, where it is said."""
    if work_mem is not None:
        db.run(connection, shipped("explain/set_work_mem"), work_mem=work_mem)
