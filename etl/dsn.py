"""What a connection string gives away.

In a URI an unescaped @ or / ends a password early; its rest becomes the host or the name of
the database, which libpq and the server repeat in their messages. The same becomes of a
whole URI that is given as the value of one keyword.

Source: PostgreSQL manual, libpq, "Connection URIs": reserved characters are percent-encoded.
"""

import re
from collections.abc import Mapping

from psycopg.conninfo import conninfo_to_dict

SHOWN = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "dbname": "PGDATABASE"}
"""Keywords whose values messages repeat, and the variables they come from else."""

_URIS = ("postgresql://", "postgres://")


def has_password(dsn: str) -> bool:
    """Whether a connection string that can be read holds a password."""
    return bool(conninfo_to_dict(dsn).get("password"))


def spills_password(dsn: str, shown: Mapping[str, str]) -> bool:
    """Whether a part of a password may stand where messages would repeat it.

    Args:
        dsn: The connection string, readable.
        shown: The values of the keywords in ``SHOWN``; empty where there is none.
    """
    path = dsn.partition("://")[2].partition("/")[2].partition("?")[0]
    if dsn.startswith(_URIS) and "@" in path:
        return True
    if not re.fullmatch(r"[0-9,]*", shown["port"]):
        return True
    # A host may be the path of a folder, or begin with @: a socket without a file.
    names = [name for name in shown["host"].split(",") if not name.startswith(("/", "@"))]
    if any("@" in name for name in names):
        return True
    return any(re.search(r"://|:.*@", shown[name]) for name in ("host", "user", "dbname"))
