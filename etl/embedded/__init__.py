"""A PostgreSQL server of one's own, for trying out and for tests."""

from etl.embedded.server import EmbeddedServer

__all__ = ["EmbeddedServer"]
