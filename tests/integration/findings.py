"""What `etl doctor` finds in a database of a test, and its commands, run as they are."""

from pathlib import Path

from etl.db import Connection
from etl.doctor import THRESHOLDS, Checkup, Finding
from tests.conftest import shipped_job

EAGER = {
    **THRESHOLDS,
    "waiting_s": 0.0,
    "idle_s": 0.0,
    "least_rows": 10,
    "unused_bytes": 0,
    "counted_s": 0.0,
    "slot_bytes": 0,
    "bloat_bytes": 100_000,
}


def examine(connection: Connection, state: Path, workers: int = 1) -> dict[str, Finding]:
    """What a checkup with low thresholds finds, by the text of what is so."""
    checkup = Checkup([shipped_job().folder], state, workers, EAGER)
    verdicts = list(checkup.of_database(connection))
    return {finding.what: finding for verdict in verdicts for finding in verdict.findings}


def found(findings: dict[str, Finding], words: str) -> Finding:
    """The one whose text has these words."""
    told = [finding for what, finding in findings.items() if words in what]
    assert len(told) == 1, (words, list(findings))
    return told[0]


def is_found(findings: dict[str, Finding], words: str) -> bool:
    return any(words in what for what in findings)


def mend(connection: Connection, finding: Finding) -> None:
    """Run its command, as it is: each statement by itself, as psql does."""
    connection.execute("SET default_transaction_read_only = off")
    for statement in finding.command.partition("--")[0].split(";"):
        if statement.strip():
            connection.execute(statement.encode())
