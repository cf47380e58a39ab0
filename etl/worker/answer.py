"""What a result of libpq says: the SQLSTATE and message of an error, the fields of a row."""

from psycopg import pq
from psycopg.pq import DiagnosticField

_MESSAGE_LENGTH = 500
_DONE_BEFORE = ("23505", b"etl", b"done_message")


def told(error: "pq.abc.PGresult") -> tuple[str, str]:
    """SQLSTATE and message of an error, as far as it has them."""
    state = error.error_field(DiagnosticField.SQLSTATE) or b""
    said = error.error_field(DiagnosticField.MESSAGE_PRIMARY) or error.error_message
    return state.decode(), line(said)


def line(said: bytes) -> str:
    """The first line of a message, no longer than an attempt's."""
    return said.decode(errors="replace").strip().partition("\n")[0][:_MESSAGE_LENGTH]


def was_done_before(error: "pq.abc.PGresult") -> bool:
    """Whether the ledger has the message already: exactly its key was broken."""
    state, schema, table = _DONE_BEFORE
    fields = (DiagnosticField.SCHEMA_NAME, DiagnosticField.TABLE_NAME)
    return told(error)[0] == state and [error.error_field(f) for f in fields] == [schema, table]


def first_row(answer: "pq.abc.PGresult") -> list[bytes | None]:
    """The fields of its first row."""
    return [answer.get_value(0, n) for n in range(answer.nfields)]
