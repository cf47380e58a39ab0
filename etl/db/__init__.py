"""Connections, with every way in which they fail turned into one clear error."""

from etl.db.connection import answered_within, connect, cut, uncancelled
from etl.db.statement import Connection, Row, explained, one, reached, run, unreachable
from etl.db.target import Target, named_target

__all__ = [
    "Connection",
    "Row",
    "Target",
    "answered_within",
    "connect",
    "cut",
    "explained",
    "named_target",
    "one",
    "reached",
    "run",
    "uncancelled",
    "unreachable",
]
