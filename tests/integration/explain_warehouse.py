"""A warehouse for the tests of `etl explain`: made once, copied for each."""

from typing import Any

from tests.conftest import at, load_schema
from tests.support import refresh

USERS, DIRTY, NOTES = 6_000, 40, 15_000
USER = 42


def load_warehouse(**address: Any) -> None:
    """Six thousand users, of whom two hundred have 150 facts each, and forty are dirty."""
    load_schema(**address)
    with at(**address) as connection:
        connection.execute(
            "INSERT INTO dwh.dimension_countries (country_name)"
            " SELECT 'country' || i FROM generate_series(1, 50) AS i"
        )
        connection.execute(
            "INSERT INTO dwh.dimension_users (username, dirty_since) SELECT 'user' || i,"
            " '2026-01-01Z' FROM generate_series(1, $1) AS i",
            [USERS],
        )
        connection.execute(
            "INSERT INTO dwh.facts (action, note_id, action_at, action_dimension_id_user,"
            " opened_dimension_id_user, dimension_id_country, days_to_resolution)"
            " SELECT a.action, i, '2020-01-01'::timestamp + i * interval '1 hour'"
            " + a.days * interval '1 day', 1 + (i + a.days) % 200,"
            " 1 + i % 200, 1 + i % 50, nullif(a.days, 0)"
            " FROM generate_series(1, $1) AS i,"
            " (VALUES ('opened'::dwh.note_action, 0), ('closed', 3)) AS a (action, days)",
            [NOTES],
        )
        refresh(connection, USER)
        connection.execute(
            "INSERT INTO dwh.datamart_users SELECT (jsonb_populate_record(d, jsonb_build_object("
            "'dimension_user_id', u.dimension_user_id, 'next_change_on',"
            " '2027-01-01'::date + u.dimension_user_id % 100))).*"
            " FROM dwh.datamart_users AS d, dwh.dimension_users AS u"
            " WHERE u.dimension_user_id <> $1",
            [USER],
        )
        connection.execute(
            "UPDATE dwh.dimension_users SET modified ="
            " dimension_user_id BETWEEN $1 AND $1 + $2 - 1",
            [USER, DIRTY],
        )
        connection.execute(
            "VACUUM ANALYZE dwh.facts, dwh.dimension_users, dwh.datamart_users,"
            " dwh.dimension_countries, dwh.dimension_applications, etl.held_item"
        )
