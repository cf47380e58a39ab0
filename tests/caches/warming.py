"""A small cache to warm: what the tests of the job cache_warm share."""

from datetime import date
from typing import Any

from etl import db, folders, job
from etl.db import Connection
from etl.job import Job
from etl.sqlfile import statements
from tests.conftest import at
from tests.support import install

TOPICS, TAGS, ENTRIES = 73, 50, 1_000
DIGITAL, GENERAL = "topic:1/digital", "topic:1/general"
DASHBOARDS = ("digital", "facebook", "general", "twitter")
OPTIONS: dict[str, object] = {
    "dashboards_only": "false",
    "topic": "",
    "refresh": "false",
    "clear": "false",
    "stale_only": "false",
}


def cache_job() -> Job:
    """The job of the shipped ones that expires."""
    return job.load(folders.sql_folder() / "jobs" / "cache_warm")


def load_caches(**address: Any) -> None:
    """Make a database as `etl init --with-roles` leaves it, with sample entries, nothing warm."""
    found = cache_job()
    with at(**address) as connection:
        install(connection, [found])
        with connection.transaction():
            for statement in statements(found.folder / "sample.sql"):
                db.run(connection, statement, scale=ENTRIES, as_of=today(connection))
        connection.execute("VACUUM ANALYZE")


def today(connection: Connection) -> date:
    """The day that counts as today on the server, UTC."""
    ((day,),) = connection.execute("SELECT (now() AT TIME ZONE 'UTC')::date").fetchall()
    return date.fromisoformat(str(day))


def values(connection: Connection, **given: object) -> dict[str, object]:
    """What a cycle that begins now, without limits, gives to the queries of the job."""
    ((now,),) = connection.execute("SELECT now()").fetchall()
    fixed = {"as_of": today(connection), "now": now, "max_items": None, "reserved_percent": 0}
    return {**fixed, **OPTIONS, **given}


def listed(connection: Connection, **given: object) -> list[str]:
    """The items that a cycle with these options lists, in order."""
    found = cache_job().prioritize
    return [str(row[0]) for row in db.run(connection, found, **values(connection, **given))]


def warm(connection: Connection, *keys: str) -> None:
    """What a worker does for these items."""
    for key in keys:
        connection.execute("CALL cache.warm($1)", [key])


def warm_all(connection: Connection) -> None:
    """Warm whatever is dirty, one after the other."""
    warm(connection, *listed(connection))


def add_entry(connection: Connection, topic: int, source: str = "digital", reach: int = 1) -> int:
    """Publish one entry now. Returns its id."""
    (row,) = connection.execute(
        "INSERT INTO cache.entries (topic_id, source, published_at, reach)"
        " VALUES ($1, $2, now() - interval '1 microsecond', $3) RETURNING entry_id",
        [topic, source, reach],
    ).fetchall()
    return int(row[0])


def entries_today(connection: Connection, key: str) -> int:
    """How many entries of today a stored payload counts."""
    (row,) = connection.execute(
        "SELECT payload #> '{windows,today,entries}' FROM cache.warmed WHERE item_key = $1", [key]
    ).fetchall()
    return int(row[0])


def one(connection: Connection, query: str) -> Any:
    """The one value that a query returns."""
    ((value,),) = connection.execute(query.encode()).fetchall()
    return value


def wrong(connection: Connection) -> list[tuple[str, str]]:
    """What verify.sql finds."""
    return list(db.run(connection, cache_job().verify, as_of=today(connection)).fetchall())
