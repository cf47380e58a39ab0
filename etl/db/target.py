"""Which database is meant, and how it is called in messages."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

import psycopg
from psycopg.conninfo import conninfo_to_dict

from etl.dsn import SHOWN, spills_password
from etl.errors import UsageError

# One of these says which database is meant; a password alone does not.
_NAMING = ("PGSERVICE", "PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER")


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect to.

    Attributes:
        dsn: libpq connection string or URI; may hold a password, so it is never shown.
        label: How it is called in messages: host, port and database, no secrets.
    """

    dsn: str
    label: str

    @classmethod
    def parse(cls, dsn: str) -> "Target":
        """Read a connection string.

        Raises:
            UsageError: It is none. The text is not repeated: it may hold a password.
        """
        try:
            parts = conninfo_to_dict(dsn)
        except (psycopg.ProgrammingError, UnicodeEncodeError):
            raise UsageError(
                "the connection string cannot be read",
                "Write it as postgresql://user@host/database or 'host=… dbname=…'.",
            ) from None

        def said(keyword: str, variable: str, default: str = "") -> str:
            return str(parts.get(keyword) or os.environ.get(variable) or default)

        if spills_password(dsn, {name: said(name, variable) for name, variable in SHOWN.items()}):
            raise UsageError(
                "the connection string names a host, port, user or database that may be a part of "
                "a password",
                "In a URI write @ in a password as %40, / as %2F, : as %3A and % as %25.",
            )

        service = said("service", "PGSERVICE")
        host = said("host", "PGHOST", f"service {service}" if service else "the local server")
        port = said("port", "PGPORT")
        database = said("dbname", "PGDATABASE")
        label = host + (f" port {port}" if port else "")
        return cls(dsn, label + (f", database {database}" if database else ""))


def named_target(flag: str | None, environ: Mapping[str, str]) -> Target | None:
    """The database that the user named: ``--dsn``, ``ETL_DSN``, or libpq's own variables.

    Returns:
        None where nothing names one.
    """
    dsn = flag or environ.get("ETL_DSN")
    if dsn:
        return Target.parse(dsn)
    if any(environ.get(name) for name in _NAMING):
        return Target.parse("")
    return None
