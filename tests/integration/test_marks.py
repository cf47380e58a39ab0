"""Who is marked dirty, whoever writes facts, and how activity is kept."""

import pytest

from etl.db import Connection
from tests.support import add_facts, add_users, closed, dirty, opened, refresh_all


@pytest.fixture
def clean(connection: Connection) -> Connection:
    """Ana opened notes 1 and 2, bo closed note 1; cy did nothing; everybody is clean."""
    add_users(connection, "ana", "bo", "cy")
    facts = [
        opened(1, "2026-01-10 10:00", "ana"),
        opened(2, "2026-01-11 10:00", "ana"),
        closed(1, "2026-01-12 10:00", "bo", "ana"),
    ]
    add_facts(connection, facts)
    refresh_all(connection)
    assert dirty(connection) == set()
    return connection


def activity(connection: Connection) -> dict[str, tuple[int, str | None]]:
    rows = connection.execute(
        "SELECT username, total_actions, last_action_at::date::text FROM dwh.dimension_users"
    )
    return {str(name): (int(total), last) for name, total, last in rows}


def test_activity_is_counted_as_facts_come(clean: Connection) -> None:
    assert activity(clean) == {"ana": (2, "2026-01-11"), "bo": (1, "2026-01-12"), "cy": (0, None)}


def test_an_opening_dirties_its_user_alone(clean: Connection) -> None:
    add_facts(clean, [opened(3, "2026-01-13 10:00", "cy")])
    assert dirty(clean) == {"cy"}


def test_a_closing_dirties_closer_and_opener(clean: Connection) -> None:
    add_facts(clean, [closed(2, "2026-01-13 10:00", "cy", "ana")])
    assert dirty(clean) == {"ana", "cy"}
    assert activity(clean)["ana"] == (2, "2026-01-11")


def test_an_anonymous_closing_dirties_the_opener(clean: Connection) -> None:
    add_facts(clean, [closed(2, "2026-01-13 10:00", None, "ana")])
    assert dirty(clean) == {"ana"}


def test_a_fact_older_than_the_last_one_does_not_move_it_back(clean: Connection) -> None:
    add_facts(clean, [opened(3, "2020-01-01 10:00", "ana")])
    assert activity(clean)["ana"] == (3, "2026-01-11")


def test_a_deleted_fact_dirties_and_is_counted_no_more(clean: Connection) -> None:
    clean.execute("DELETE FROM dwh.facts WHERE note_id = 2")
    assert dirty(clean) == {"ana"}
    assert activity(clean)["ana"] == (1, "2026-01-10")


def test_a_corrected_fact_dirties_the_old_and_the_new_user(clean: Connection) -> None:
    clean.execute(
        "UPDATE dwh.facts SET action_dimension_id_user ="
        " (SELECT dimension_user_id FROM dwh.dimension_users WHERE username = 'cy')"
        " WHERE note_id = 1 AND action = 'closed'"
    )
    assert dirty(clean) == {"ana", "bo", "cy"}
    assert activity(clean) == {"ana": (2, "2026-01-11"), "bo": (0, None), "cy": (1, "2026-01-12")}


def test_truncated_facts_dirty_everybody(clean: Connection) -> None:
    clean.execute("TRUNCATE dwh.facts")
    assert dirty(clean) == {"ana", "bo", "cy"}
    assert set(activity(clean).values()) == {(0, None)}


def test_activity_that_drifted_is_set_right_by_a_refresh(clean: Connection) -> None:
    clean.execute(
        "UPDATE dwh.dimension_users SET total_actions = 99, last_action_at = '1999-01-01',"
        " modified = TRUE"
    )
    refresh_all(clean)
    assert activity(clean) == {"ana": (2, "2026-01-11"), "bo": (1, "2026-01-12"), "cy": (0, None)}


def test_dirty_since_is_when_the_mark_was_set_first(clean: Connection) -> None:
    def since() -> object:
        row = clean.execute(
            "SELECT dirty_since FROM dwh.dimension_users WHERE username = 'cy'"
        ).fetchone()
        return row[0] if row else None

    before = since()
    clean.execute("UPDATE dwh.dimension_users SET modified = TRUE WHERE username = 'cy'")
    marked = since()
    clean.execute("UPDATE dwh.dimension_users SET modified = TRUE WHERE username = 'cy'")
    assert before != marked
    assert marked == since()
