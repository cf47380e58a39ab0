"""Invoices that cannot be told from a broken job, and calls that name none."""

import psycopg
import pytest

from etl.db import Connection


def test_a_rate_is_a_number(connection: Connection) -> None:
    """Amounts that are none would look to a worker as if every invoice failed."""
    with pytest.raises(psycopg.errors.CheckViolation):
        connection.execute(
            "INSERT INTO billing.invoices (invoice_id, customer, issued_on, base_cents, rate)"
            " VALUES (1, 'c', '2026-01-01', 100, 'NaN')"
        )


def test_a_kind_that_there_is_not_repairs_nothing(connection: Connection) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="no invoices are called 'fees'"):
        connection.execute("CALL billing.repair_invoices('fees', 1, 9)")
