"""Connections, with every way in which they fail turned into one clear error."""

from etl.db.connection import answered_within, connect, cut, uncancelled
from etl.db.statement import Connection, Row, explained, one, reached, run, unreachable
from etl.db.target import Target, named_target
from etl.db.transaction import copy_in, snapshot, unless_locked

__all__ = [
    "Connection",
    "Row",
    "Target",
    "answered_within",
    "connect",
    "copy_in",
    "cut",
    "explained",
    "named_target",
    "one",
    "reached",
    "run",
    "snapshot",
    "uncancelled",
    "unless_locked",
    "unreachable",
]
