"""A database with entries to cache, in place of the warehouse that other tests have."""

from typing import Any

import psycopg
import pytest
from pytest_postgresql import factories

from tests.caches.warming import load_caches

cache_server = factories.postgresql_noproc(
    depends_on="server_address", dbname="cache_test", load=[load_caches]
)
cache_database = factories.postgresql("cache_server")


@pytest.fixture
def schema_database(cache_database: "psycopg.Connection[Any]") -> "psycopg.Connection[Any]":
    """Entries and nothing warm, in place of the empty warehouse."""
    return cache_database
