"""The figures of one user, against counts made by hand."""

from datetime import date
from typing import Any

import pytest

from etl.db import Connection
from tests.support import DAY, Fact, add_facts, add_users, closed, opened, refresh, user_ids

FACTS: list[Fact] = [
    # A Friday 10h, three days running over a year's end, one of them twice.
    opened(1, "2024-12-30 10:00", "ana"),
    opened(2, "2024-12-31 11:00", "ana"),
    opened(3, "2025-01-01 12:00", "ana"),
    opened(4, "2025-01-01 12:30", "ana"),
    # The last days: a current streak of two.
    opened(5, "2026-01-15 23:59", "ana"),
    opened(9, "2023-05-05 00:00", "bo"),
    closed(9, "2026-01-16 00:00", "ana", "bo"),
    # Others close what she opened; one note twice, it had been opened again.
    closed(1, "2025-03-01 10:00", "bo", "ana"),
    closed(1, "2025-04-01 10:00", "bo", "ana"),
    closed(2, "2025-03-01 10:00", None, "ana"),
]


@pytest.fixture
def ana(connection: Connection) -> dict[str, Any]:
    """Ana's row on 16 January 2026, a Friday."""
    add_users(connection, "ana", "bo")
    add_facts(connection, FACTS)
    return row(connection, "ana", DAY)


def row(connection: Connection, name: str, as_of: date) -> dict[str, Any]:
    user = user_ids(connection)[name]
    refresh(connection, user, as_of)
    found = connection.execute(
        "SELECT to_jsonb(d) FROM dwh.datamart_users AS d WHERE dimension_user_id = $1", [user]
    ).fetchone()
    assert found is not None
    result: dict[str, Any] = found[0]
    return result


def figures(row: dict[str, Any], *names: str) -> tuple[object, ...]:
    return tuple(row[name] for name in names)


def test_lifetime_year_month_and_day(ana: dict[str, Any]) -> None:
    assert figures(ana, "opened_total", "closed_total") == (5, 1)
    assert figures(ana, "opened_this_year", "closed_this_year") == (1, 1)
    assert figures(ana, "opened_this_month", "closed_this_month") == (1, 1)
    assert figures(ana, "opened_today", "closed_today") == (0, 1)


def test_the_last_days_include_the_day_so_many_days_ago(
    connection: Connection, ana: dict[str, Any]
) -> None:
    assert figures(ana, "opened_last_7_days", "opened_last_30_days") == (1, 1)
    assert figures(ana, "opened_last_90_days", "opened_last_365_days") == (1, 1)
    assert row(connection, "ana", date(2026, 1, 1))["opened_last_365_days"] == 3
    assert row(connection, "ana", date(2026, 1, 2))["opened_last_365_days"] == 1


def test_history_by_year(ana: dict[str, Any]) -> None:
    assert ana["history_by_year"] == [
        {"year": 2024, "opened": 2, "closed": 0},
        {"year": 2025, "opened": 2, "closed": 0},
        {"year": 2026, "opened": 1, "closed": 1},
    ]


def test_first_and_latest_with_their_notes(ana: dict[str, Any]) -> None:
    assert figures(ana, "first_opened_at", "first_opened_note_id") == ("2024-12-30T10:00:00", 1)
    assert figures(ana, "last_opened_at", "last_opened_note_id") == ("2026-01-15T23:59:00", 5)
    assert figures(ana, "first_closed_at", "first_closed_note_id") == ("2026-01-16T00:00:00", 9)
    assert figures(ana, "last_closed_at", "last_closed_note_id") == ("2026-01-16T00:00:00", 9)


def test_active_days_and_streaks(connection: Connection, ana: dict[str, Any]) -> None:
    names = ("active_days", "current_streak_days", "longest_streak_days")
    assert figures(ana, *names) == (5, 2, 3)
    assert figures(row(connection, "ana", date(2026, 1, 17)), *names) == (5, 2, 3)
    assert figures(row(connection, "ana", date(2026, 1, 18)), *names) == (5, 0, 3)


def test_the_heat_map_ends_on_the_last_active_day(ana: dict[str, Any]) -> None:
    assert ana["last_active_on"] == "2026-01-16"
    assert ana["heat_map"] == [0] * 363 + [1, 1]


def test_the_view_moves_the_heat_map_up_to_today(
    connection: Connection, ana: dict[str, Any]
) -> None:
    connection.execute(
        "UPDATE dwh.datamart_users SET last_active_on ="
        " (now() AT TIME ZONE 'UTC')::date - 3, heat_map = heat_map[2:365] || 7"
    )
    seen = connection.execute(
        "SELECT username, days_since_last_action, heat_map_until_today[360:365]"
        " FROM dwh.datamart_users_today"
    ).fetchall()
    assert seen == [("ana", 3, [1, 1, 7, 0, 0, 0])]
    connection.execute("UPDATE dwh.datamart_users SET last_active_on = '2001-01-01'")
    cold = connection.execute(
        "SELECT cardinality(heat_map_until_today), 7 = ANY (heat_map_until_today)"
        " FROM dwh.datamart_users_today"
    ).fetchall()
    assert cold == [(365, False)]


def test_hours_of_the_week_begin_with_monday(ana: dict[str, Any]) -> None:
    monday_10, tuesday_11, wednesday_12, thursday_23 = 11, 24 + 12, 48 + 13, 72 + 24
    expected = [0] * 168
    for slot, notes in ((monday_10, 1), (tuesday_11, 1), (wednesday_12, 2), (thursday_23, 1)):
        expected[slot - 1] = notes
    assert ana["hours_of_week_opened"] == expected
    friday_0 = 96 + 1
    assert [slot + 1 for slot, n in enumerate(ana["hours_of_week_closed"]) if n] == [friday_0]


def test_busiest_dates_most_first_then_earliest(ana: dict[str, Any]) -> None:
    assert ana["busiest_dates_opened"] == [
        {"date": "2025-01-01", "notes": 2},
        {"date": "2024-12-30", "notes": 1},
        {"date": "2024-12-31", "notes": 1},
        {"date": "2026-01-15", "notes": 1},
    ]
    assert ana["busiest_dates_closed"] == [{"date": "2026-01-16", "notes": 1}]


def test_countries_are_ranked_for_opening_and_closing(
    connection: Connection, ana: dict[str, Any]
) -> None:
    add_facts(
        connection, [opened(20, "2025-05-05", "ana"), opened(21, "2025-05-05", "ana")], "Chile"
    )
    again = row(connection, "ana", DAY)
    assert again["countries_opened"] == [
        {"country": "Colombia", "notes": 5},
        {"country": "Chile", "notes": 2},
    ]
    assert again["countries_closed"] == [{"country": "Colombia", "notes": 1}]


def test_applications_are_ranked(connection: Connection, ana: dict[str, Any]) -> None:
    assert ana["applications"] == []
    connection.execute(
        "INSERT INTO dwh.dimension_applications (application_name) VALUES ('osmand')"
    )
    connection.execute(
        "UPDATE dwh.facts SET dimension_id_application = 1 WHERE note_id IN (1, 2, 9)"
    )
    assert row(connection, "ana", DAY)["applications"] == [{"application": "osmand", "notes": 2}]


def test_resolution_of_the_notes_opened(connection: Connection, ana: dict[str, Any]) -> None:
    names = ("opened_and_resolved", "opened_and_still_open", "resolution_rate")
    assert figures(ana, *names) == (2, 3, 40.0)
    assert figures(row(connection, "bo", DAY), *names) == (1, 0, 100.0)
    add_users(connection, "closer")
    add_facts(connection, [closed(9, "2026-01-17 00:00", "closer", "bo")])
    assert figures(row(connection, "closer", DAY), *names) == (0, 0, None)


def test_closings_that_outlive_their_opening_resolve_nothing(
    connection: Connection, ana: dict[str, Any]
) -> None:
    add_facts(connection, [closed(1000 + n, "2025-01-01", "bo", "ana") for n in range(60)])
    found = row(connection, "ana", DAY)
    assert figures(found, "opened_and_resolved", "resolution_rate") == (2, 40.0)


def test_days_to_resolution_of_the_notes_closed(connection: Connection) -> None:
    add_users(connection, "ana", "bo")
    notes = [closed(note, f"2025-01-0{note} 10:00", "ana", "bo") for note in (1, 2, 3, 4)]
    add_facts(connection, notes)
    connection.execute("UPDATE dwh.facts SET days_to_resolution = (note_id - 1) * 10 + note_id / 4")
    found = row(connection, "ana", DAY)
    assert figures(found, "average_days_to_resolution", "median_days_to_resolution") == (
        15.25,
        15.0,
    )


@pytest.mark.parametrize(
    ("actions", "active_days", "first", "last", "kind"),
    [
        (0, 0, None, None, "none"),
        (5000, 900, "2015-01-01", "2025-01-15", "dormant"),
        (1, 1, "2025-12-17", "2025-12-17", "newcomer"),
        (1000, 100, "2020-01-01", "2025-01-16", "expert"),
        (999, 100, "2020-01-01", "2026-01-16", "regular"),
        (1000, 99, "2020-01-01", "2026-01-16", "regular"),
        (30, 30, "2020-01-01", "2026-01-16", "regular"),
        (99, 29, "2020-01-01", "2026-01-16", "occasional"),
        (99, 1, "2025-12-16", "2025-12-16", "one_day"),
    ],
)
def test_contributor_type_has_its_thresholds_where_the_sql_says(
    connection: Connection,
    actions: int,
    active_days: int,
    first: str | None,
    last: str | None,
    kind: str,
) -> None:
    found = connection.execute(
        "SELECT dwh.contributor_type($1, $2, $3, $4, $5)", [actions, active_days, first, last, DAY]
    ).fetchall()
    assert found == [(kind,)]


def test_a_user_without_facts_has_a_row_of_zeros(connection: Connection) -> None:
    add_users(connection, "idle")
    found = row(connection, "idle", DAY)
    assert figures(found, "opened_total", "active_days", "contributor_type") == (0, 0, "none")
    assert figures(found, "resolution_rate", "next_change_on", "last_active_on") == (None,) * 3
    assert (sum(found["heat_map"]), sum(found["hours_of_week_opened"])) == (0, 0)


def test_the_time_zone_of_the_session_changes_nothing(
    connection: Connection, ana: dict[str, Any]
) -> None:
    connection.execute("SET TimeZone = 'Pacific/Auckland'")
    again = row(connection, "ana", DAY)
    del again["refreshed_at"], ana["refreshed_at"]
    assert again == ana
