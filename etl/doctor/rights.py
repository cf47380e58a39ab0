"""Which rights a cycle needs, and which of them this login lacks.

The files in the ``grants`` folders say what each role needs; they are read here, and nothing
is granted. So it holds for any job, also where the roles were never made: then the login
itself is to be given what the files name.

Read is ``GRANT … ON [SCHEMA|TABLE|FUNCTION|PROCEDURE|ROUTINE] name, … TO role``, with columns
where there are any. Another form of GRANT (ALL TABLES IN SCHEMA, a sequence) is passed over.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from etl import db
from etl.deploy import grants
from etl.doctor.names import NAME, QUOTED, uncommented
from etl.job import Job
from etl.sqlfile import shipped, statements

_ROLES = ("etl_runner", "etl_reader")
_KINDS = {
    "SCHEMA": "schema",
    "TABLE": "relation",
    "": "relation",
    "FUNCTION": "routine",
    "PROCEDURE": "routine",
    "ROUTINE": "routine",
}
_GRANT = re.compile(
    r"GRANT\s+(?P<privileges>.+?)\s+ON\s+(?:(?P<kind>SCHEMA|TABLE|FUNCTION|PROCEDURE|ROUTINE)\s+)?"
    r"(?P<objects>[^;]+?)\s+TO\s+(?P<role>\w+)\s*\Z",
    re.IGNORECASE | re.DOTALL,
)
_PART = re.compile(rf"(?:{QUOTED}|[^,()\"])+(?:\([^)]*\))?")
_PRIVILEGE = re.compile(r"(SELECT|INSERT|UPDATE|DELETE|USAGE|EXECUTE)(?:\s*\(([^)]*)\))?", re.I)
_OBJECT = re.compile(rf"\s*({NAME}(?:\.{NAME})?)\s*(?:\(.*\))?\s*", re.DOTALL)


class Right(NamedTuple):
    """One right that a file of grants names.

    Attributes:
        role: etl_runner or etl_reader.
        kind: schema, relation or routine.
        object: Its name, with its schema.
        privilege: Such as SELECT.
        column: The column; empty for the whole.
    """

    role: str
    kind: str
    object: str
    privilege: str
    column: str


def named_in(text: str) -> list[Right]:
    """The rights that one statement gives; none where it is no GRANT of the form above."""
    found = _GRANT.match(uncommented(text).strip())
    if found is None or found["role"].lower() not in _ROLES:
        return []
    kind = _KINDS[(found["kind"] or "").upper()]
    objects = [_OBJECT.fullmatch(part) for part in _PART.findall(found["objects"])]
    privileges = [_PRIVILEGE.fullmatch(p.strip()) for p in _PART.findall(found["privileges"])]
    return [
        Right(found["role"].lower(), kind, object_[1], privilege[1].upper(), column.strip())
        for object_ in objects
        if object_ is not None
        for privilege in privileges
        if privilege is not None
        for column in (privilege[2] or "").split(",")
    ]


def missing(connection: db.Connection, jobs: Iterable[Job]) -> Iterator[db.Row]:
    """What this login may not do, a row for the engine and for each job where it lacks anything.

    Returns:
        Rows of severity, what, why and command.

    Raises:
        FileError: A file cannot be read.
    """
    rights: dict[str, list[Right]] = {}
    for file in grants.files(jobs):
        for statement in statements(file.path):
            rights.setdefault(file.scope, []).extend(named_in(statement.source))
    for scope, wanted in rights.items():
        columns = list(zip(*wanted, strict=True)) or [()] * len(Right._fields)
        names = ("roles", "kinds", "objects", "privileges", "columns")
        values = {name: list(column) for name, column in zip(names, columns, strict=True)}
        yield from db.run(connection, shipped("doctor/rights"), scope=scope, **values)
