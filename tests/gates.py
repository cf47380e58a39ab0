"""A gate: whoever writes to a table waits there, so that a test finds them at a known moment.

It is shut while somebody holds its advisory lock.
"""

from etl.db import Connection

GATE = 42
"""The lock, where a test does not need two."""


def put_gate(
    connection: Connection,
    table: str,
    condition: str = "TRUE",
    *,
    on: str = "INSERT OR UPDATE",
    name: str = "wait_at_gate",
    key: int = GATE,
) -> None:
    """Put one before the rows of a table for which a condition holds; it is open."""
    connection.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql"
        # Without a limit: a lock timeout at the gate would make the item busy.
        " SET lock_timeout = 0 AS $$ BEGIN"
        f" PERFORM pg_advisory_xact_lock_shared({key}); RETURN NEW; END $$".encode()
    )
    connection.execute(
        f"CREATE TRIGGER {name} BEFORE {on} ON {table} FOR EACH ROW"
        f" WHEN ({condition}) EXECUTE FUNCTION {name}()".encode()
    )


def shut_gate(keeper: Connection, key: int = GATE) -> None:
    """Hold it shut by this session."""
    keeper.execute("SELECT pg_advisory_lock($1)", [key])


def open_gate(keeper: Connection, key: int = GATE) -> None:
    """Let go of it."""
    keeper.execute("SELECT pg_advisory_unlock($1)", [key])
