"""Small warehouses, made by hand, for tests that count every row."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from etl import deploy
from etl.db import Connection
from etl.deploy import grants, roles
from etl.job import Job

DAY = date(2026, 1, 16)
"""The day that counts as today in most tests."""

Fact = tuple[str, int, str, str | None, str | None]
"""Action, note, time, user, opener of the note; users by name."""


def install(connection: Connection, jobs: list[Job]) -> None:
    """Bring jobs into a database, as `etl init --with-roles` does."""
    roles.create(connection)  # a template's rights are not copied with it
    for file in deploy.pending(connection, jobs):
        deploy.apply(connection, file)
    grants.grant(connection, jobs)


def add_users(connection: Connection, *names: str) -> dict[str, int]:
    """Insert users without facts. Returns the id of each."""
    for name in names:
        connection.execute("INSERT INTO dwh.dimension_users (username) VALUES ($1)", [name])
    return user_ids(connection)


def user_ids(connection: Connection) -> dict[str, int]:
    """The id of each user by name."""
    rows = connection.execute("SELECT username, dimension_user_id FROM dwh.dimension_users")
    return {str(name): int(number) for name, number in rows}


def add_facts(connection: Connection, facts: Iterable[Fact], country: str = "Colombia") -> None:
    """Insert facts, as a loader does, in one statement each; the users must exist."""
    connection.execute(
        "INSERT INTO dwh.dimension_countries (country_name) VALUES ($1) ON CONFLICT DO NOTHING",
        [country],
    )
    for action, note, at, user, opener in facts:
        connection.execute(
            "INSERT INTO dwh.facts (action, note_id, action_at, action_dimension_id_user,"
            " opened_dimension_id_user, dimension_id_country, days_to_resolution)"
            " SELECT $1::dwh.note_action, $2, $3,"
            " (SELECT dimension_user_id FROM dwh.dimension_users WHERE username = $4),"
            " (SELECT dimension_user_id FROM dwh.dimension_users WHERE username = $5),"
            " dimension_country_id, CASE $1 WHEN 'closed' THEN 0 END"
            " FROM dwh.dimension_countries WHERE country_name = $6",
            [action, note, at, user, opener, country],
        )


def opened(note: int, at: str, user: str) -> Fact:
    """A note that is opened."""
    return ("opened", note, at, user, user)


def closed(note: int, at: str, user: str | None, opener: str | None) -> Fact:
    """A note that is closed."""
    return ("closed", note, at, user, opener)


def dirty(connection: Connection) -> set[str]:
    """Names of the users whose mark is set."""
    rows = connection.execute("SELECT username FROM dwh.dimension_users WHERE modified")
    return {str(name) for (name,) in rows}


def refresh(connection: Connection, user: int, as_of: date = DAY) -> None:
    """What a worker does for one user."""
    connection.execute("CALL dwh.update_datamart_user($1, $2)", [user, as_of])


def refresh_all(connection: Connection, as_of: date = DAY) -> None:
    """Refresh everybody, dirty or not."""
    for user in user_ids(connection).values():
        refresh(connection, user, as_of)


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """All steps of a plan, as EXPLAIN tells it in JSON."""
    return [plan, *(inner for child in plan.get("Plans", []) for inner in nodes(child))]


def contents(connection: Connection) -> dict[str, list[Any]]:
    """Every row of every table, with the transaction that wrote it."""
    tables = connection.execute(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
        " WHERE schemaname IN ('dwh', 'etl', 'public')"
    ).fetchall()
    return {
        name: connection.execute(
            f"SELECT t.xmin::text, t::text FROM {name} AS t ORDER BY 2".encode()
        ).fetchall()
        for (name,) in tables
    }
