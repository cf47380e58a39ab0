"""Brings the SQL files into the database, and tells where the two differ.

Numbered files in a ``schema`` folder are applied once, in order; files in a ``procedures``
folder again whenever their text changes. Each is one transaction, together with its row in
``etl.applied_file``. A lock that is bound to that transaction makes it safe from any number
of processes: whoever comes second finds the file applied. It runs as the role that owns
schema ``etl`` (see roles).
"""

from etl.deploy.deployment import apply, pending, require_current
from etl.deploy.files import DeployedFile, FileState, check_files, compare

__all__ = [
    "DeployedFile",
    "FileState",
    "apply",
    "check_files",
    "compare",
    "pending",
    "require_current",
]
