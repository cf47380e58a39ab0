"""Indexes that a numbered file made, and that are no more.

A numbered file is applied once, so an index that somebody drops never comes back by itself,
and nothing but the time that queries take tells that it is missing.
"""

import re
from collections.abc import Iterable, Iterator

from etl import db, deploy
from etl.deploy import FileState
from etl.doctor.finding import Finding, Severity
from etl.doctor.names import NAME, uncommented
from etl.job import Job
from etl.sqlfile import shipped, statements

_CREATE = re.compile(
    r"CREATE\s+(?P<unique>UNIQUE\s+)?INDEX\s+(?:CONCURRENTLY\s+)?(?:IF\s+NOT\s+EXISTS\s+)?"
    rf"(?P<name>{NAME})\s+ON\s+(?:ONLY\s+)?(?P<schema>{NAME})\.(?P<table>{NAME})",
    re.IGNORECASE,
)
_UNMADE = re.compile(r"(?:DROP|ALTER)\s+INDEX\s", re.IGNORECASE)
_NAMES = re.compile(rf"{NAME}\.{NAME}")


def indexes(connection: db.Connection, jobs: Iterable[Job]) -> Iterator[Finding]:
    """The indexes that applied files made and that the database lacks.

    Raises:
        FileError: A file cannot be read, or this login may not see which files were applied.
    """
    made: dict[str, tuple[str, str]] = {}
    for file in deploy.compare(connection, jobs):
        if file.kind != "schema" or file.state is not FileState.APPLIED:
            continue
        for statement in statements(file.path, file.text):
            text = " ".join(uncommented(statement.source).split())
            if found := _CREATE.match(text):
                schema, table = found["schema"], found["table"]
                start = f"CREATE {found['unique'] or ''}INDEX CONCURRENTLY {found['name']} ON "
                command = f"{start}{schema}.{table}{text[found.end() :]};"
                made[f"{schema}.{found['name']}"] = (f"{file.scope}: {file.name}", command)
            elif _UNMADE.match(text):
                for name in _NAMES.findall(text):
                    made.pop(name, None)
    names = list(made)
    for (name,) in db.run(connection, shipped("doctor/absent_indexes"), names=names):
        origin, command = made[name]
        yield Finding(
            Severity.WARNING,
            f"the index {name} is gone; {origin} made it",
            "Queries that it was made for read whole tables. Numbered files are applied only once",
            command,
        )
