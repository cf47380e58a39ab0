"""The held items: which wait after failures, and letting them go.

A row of ``etl.held_item`` is all that holds an item, so releasing it is deleting that row.
Which failures hold it, how long and when a person is needed, is said in
``sql/engine/held/hold_items.sql``.
"""

from collections.abc import Collection
from dataclasses import dataclass

from etl import db
from etl.errors import UsageError
from etl.sqlfile import shipped

_NAMED_IN_ERROR = 5


@dataclass(frozen=True, slots=True)
class HeldItem:
    """An item that failed lately.

    Attributes:
        job: Its job's name in the database.
        item_key: Its key, any text.
        state: held, quarantined, or due: its back-off is over and a cycle may take it.
        attempts: How often it failed since it was last done or released.
        outcome: failed or orphaned.
        sqlstate: Of its last failure; None where its worker died.
        message: Of its last failure.
        held_until: End of its back-off, UTC, ISO 8601.
        quarantined_at: Since when it waits for a person, likewise; None where it does not.
        last_cycle_id: The cycle of its last failure.
    """

    job: str
    item_key: str
    state: str
    attempts: int
    outcome: str
    sqlstate: str | None
    message: str | None
    held_until: str
    quarantined_at: str | None
    last_cycle_id: int


def held_items(
    connection: db.Connection,
    job: str = "",
    *,
    sqlstate: str = "",
    outcome: str = "",
    state: str = "",
) -> list[HeldItem]:
    """The held items, those that wait for a person first; an empty argument leaves none out.

    Args:
        connection: Where.
        job: The job's name in the database.
        sqlstate: A code, or how it begins.
        outcome: failed or orphaned.
        state: held, quarantined or due.
    """
    only = {"job": job, "sqlstate": sqlstate, "outcome": outcome, "state": state}
    rows = db.run(connection, shipped("held/list_held"), **only, most=None)
    return [HeldItem(*row[:-3]) for row in rows]


def release(
    connection: db.Connection, job: str, *, sqlstate: str = "", outcome: str = ""
) -> list[str]:
    """Release held items of a job: all, or those whose last failure was of this kind.

    Args:
        connection: Where.
        job: The job's name in the database.
        sqlstate: A code, or how it begins; empty: any, and none.
        outcome: failed or orphaned; empty: both.

    Returns:
        Their keys, in order.
    """
    with connection.transaction():
        db.run(connection, shipped("held/lock_held"))
        only = {"job": job, "sqlstate": sqlstate, "outcome": outcome}
        rows = db.run(connection, shipped("held/release_held"), **only)
        return sorted(key for (key,) in rows)


def release_keys(connection: db.Connection, job: str, keys: Collection[str]) -> list[str]:
    """Release these items of a job, or none.

    Args:
        connection: Where.
        job: The job's name in the database.
        keys: Their keys.

    Returns:
        Their keys, in order.

    Raises:
        UsageError: One of them is not held; then nothing was released.
    """
    with connection.transaction():
        db.run(connection, shipped("held/lock_held"))
        rows = db.run(connection, shipped("held/release_keys"), job=job, keys=list(keys))
        released = sorted(key for (key,) in rows)
        hint = f"'etl held list {job.replace('_', '-')}' lists what is."
        require_all(keys, released, hint)
        return released


def require_all(keys: Collection[str], held: Collection[str], hint: str) -> None:
    """Make sure that all these keys are among the held ones.

    Raises:
        UsageError: One is not; then nothing is to be released.
    """
    missing = sorted(set(keys) - set(held))
    if missing:
        named = ", ".join(map(repr, missing[:_NAMED_IN_ERROR]))
        more = len(missing) - _NAMED_IN_ERROR
        raise UsageError(
            f"not held: {named}{f' and {more} more' if more > 0 else ''}; nothing was released",
            hint,
        )
