"""Each number of `etl metrics` against SQL of the test's own."""

import json
from collections.abc import Callable

import pytest

from etl.db import Connection
from tests.conftest import Etl
from tests.metrics.conftest import LEVELS, Scrape, add_cycle
from tests.support import add_users

Ask = Callable[[], Scrape]


def number(connection: Connection, query: str) -> float:
    """The one number that a query returns."""
    return float(connection.execute(query.encode()).fetchall()[0][0])


def counted(connection: Connection, query: str) -> dict[str, float]:
    """The numbers that a query returns, by the text before them."""
    return {str(key): float(value) for key, value in connection.execute(query.encode())}


def counters(found: Scrape) -> dict[object, float]:
    """All that must never fall."""
    ends = ("_total", "_bucket", "_count", "_sum")
    return {key: value for key, value in found.samples.items() if key[0].endswith(ends)}


@pytest.mark.usefixtures("worked", "running")
def test_items_by_level_and_outcome_are_the_attempts_of_finished_cycles(
    scrape: Ask, connection: Connection
) -> None:
    found = scrape()
    for level, name in enumerate(LEVELS, start=1):
        expected = dict.fromkeys(("done", "failed", "busy", "orphaned"), 0.0) | counted(
            connection,
            f"SELECT outcome, count(*) FROM etl.attempt WHERE level = {level} GROUP BY 1",
        )
        assert found.by("outcome", "etl_items_total", level=name) == expected
    assert found("etl_items_total", level="critical", outcome="failed") == 1


@pytest.mark.usefixtures("worked")
def test_durations_are_those_of_the_done_items_and_outlive_the_attempts(
    scrape: Ask, connection: Connection
) -> None:
    found = scrape()
    buckets = found.by("le", "etl_item_duration_seconds_bucket")
    assert len(buckets) == 18
    for bound, items in buckets.items():
        assert items == number(
            connection,
            "SELECT count(*) FROM etl.attempt WHERE outcome = 'done'"
            f" AND duration_ms <= 1000 * '{bound.replace('+Inf', 'Infinity')}'::float8",
        )
    done = "FROM etl.attempt WHERE outcome = 'done'"
    assert found("etl_item_duration_seconds_count") == number(connection, f"SELECT count(*) {done}")
    assert found("etl_item_duration_seconds_sum") == pytest.approx(
        number(connection, f"SELECT sum(duration_ms::float8) / 1000 {done}")
    )
    connection.execute("DELETE FROM etl.attempt")
    assert counters(scrape()) == counters(found)


def test_a_bucket_holds_what_took_at_most_so_long(
    scrape: Ask, etl: Etl, connection: Connection
) -> None:
    """At the edges, through the statement that a cycle runs when it closes."""
    connection.execute("CREATE TABLE public.edge (duration_ms real)")
    connection.execute("INSERT INTO public.edge VALUES (0.5), (0.501), (1000), (299999), (300001)")
    connection.execute("GRANT SELECT, DELETE ON public.edge TO etl_runner")
    connection.execute(
        "CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " DELETE FROM public.edge WHERE duration_ms = (SELECT min(duration_ms) FROM public.edge)"
        " RETURNING duration_ms INTO NEW.duration_ms; RETURN NEW; END $$"
    )
    connection.execute(
        "CREATE TRIGGER slow BEFORE INSERT ON etl.attempt"
        " FOR EACH ROW EXECUTE FUNCTION public.slow()"
    )
    add_users(connection, "ana", "bo", "cy", "dora", "eve")
    assert etl("datamart-users").status == 0
    buckets = scrape().by("le", "etl_item_duration_seconds_bucket")
    known = {le: buckets[le] for le in ("0.0005", "0.001", "0.5", "1", "60", "300", "+Inf")}
    assert known == {"0.0005": 1, "0.001": 2, "0.5": 2, "1": 3, "60": 3, "300": 4, "+Inf": 5}


def test_cycles_are_counted_by_how_they_ended(scrape: Ask, connection: Connection) -> None:
    reasons = ["drained", "limit", "limit", "time limit", "crashed", "disk full: /var", "no way"]
    for reason in reasons:
        add_cycle(connection, "2026-01-16 03:00Z", stop_reason=reason)
    found = scrape()
    assert found.by("stop_reason", "etl_cycles_total") == {
        "drained": 1, "limit": 2, "time limit": 1, "incomplete": 0, "stopped": 0, "cancelled": 0,
        "paused": 0, "crashed": 1, "error": 2,
    }  # fmt: skip
    assert found("etl_cycle_duration_seconds_total") == 70
    assert "disk full" not in found.text


def test_waits_are_summed_up(scrape: Ask, connection: Connection) -> None:
    since = "2026-01-16T03:00:01+00:00"
    waits = [{"reason": "load", "since": since, "seconds": seconds} for seconds in (2.5, 4)]
    add_cycle(connection, "2026-01-16 03:00Z", waits=json.dumps(waits))
    add_cycle(connection, "2026-01-16 04:00Z")
    assert scrape()("etl_cycle_wait_seconds_total") == 6.5


@pytest.mark.usefixtures("worked")
def test_the_last_cycle(scrape: Ask, connection: Connection) -> None:
    """One for a user who was asked for by name came later, and is not it."""
    add_cycle(connection, "2999-01-01", level=(0, "requested"))
    found = scrape()
    last = "FROM etl.cycle WHERE cycle_id = 2"
    for name, column in (
        ("etl_last_cycle_finished_timestamp_seconds", "extract(epoch FROM finished_at)"),
        ("etl_last_success_timestamp_seconds", "extract(epoch FROM finished_at)"),
        ("etl_last_cycle_duration_seconds", "extract(epoch FROM finished_at - started_at)"),
    ):
        assert found(name) == pytest.approx(number(connection, f"SELECT {column} {last}"), rel=1e-9)
    assert found.by("outcome", "etl_last_cycle_items") == counted(
        connection,
        "SELECT o, count(a) FROM unnest(ARRAY['done', 'failed', 'busy', 'orphaned']) AS o"
        " LEFT JOIN etl.attempt AS a ON a.outcome = o AND a.cycle_id = 2 GROUP BY o",
    )
    left = found.by("level", "etl_last_cycle_left_items")
    assert list(left) == LEVELS
    assert sum(left.values()) == number(connection, f"SELECT found - done {last}")


def test_a_success_is_a_cycle_that_ended_by_itself_without_failures(
    scrape: Ask, connection: Connection
) -> None:
    critical, by_name = (1, "critical"), (0, "requested")
    add_cycle(connection, "2026-01-16 03:00Z", stop_reason="limit")
    for stop_reason, failed, level in (
        ("limit", 1, critical),
        ("crashed", 0, critical),
        ("stopped", 0, critical),
        ("the disk is full", 0, critical),
        ("drained", 0, by_name),
    ):
        add_cycle(
            connection, "2026-01-16 04:00Z", stop_reason=stop_reason, failed=failed, level=level
        )
        assert scrape()("etl_last_success_timestamp_seconds") == number(
            connection, "SELECT extract(epoch FROM timestamptz '2026-01-16 03:00:10Z')"
        )


def test_how_many_cycles_the_backlog_has_been_growing(scrape: Ask, connection: Connection) -> None:
    for backlogs, growing in (
        ([], 0), ([5], 0), ([5, 6], 1), ([9, 5, 6, 7], 2), ([5, 6, 6], 0), ([9, 8, 7], 0),
    ):  # fmt: skip
        connection.execute("DELETE FROM etl.cycle")
        for hour, found in enumerate(backlogs):
            add_cycle(connection, f"2026-01-16 0{hour}:00Z", found=found)
            add_cycle(connection, f"2026-01-16 0{hour}:30Z", level=(0, "requested"))
        assert scrape()("etl_backlog_growing_cycles") == growing


@pytest.mark.usefixtures("running")
def test_the_running_cycle(scrape: Ask) -> None:
    found = scrape()
    expected = {
        "etl_cycle_running": 1,
        "etl_cycle_cut_off": 0,
        "etl_running_cycle_started_timestamp_seconds": 1768532400,
        "etl_running_cycle_queued_items": 100,
        "etl_running_cycle_remaining_items": 69,
        "etl_running_cycle_workers": 2,
        "etl_running_cycle_predicted_duration_seconds": 12.5,
        "etl_running_cycle_waiting": 1,
    }
    assert {name: found(name) for name in expected} == expected
    assert found.by("outcome", "etl_running_cycle_items") == {
        "done": 30, "failed": 1, "busy": 0, "orphaned": 0,
    }  # fmt: skip
    assert sum(found.by("level", "etl_items_total", outcome="done").values()) == 0


def test_a_cycle_that_was_cut_off_does_not_run(scrape: Ask, connection: Connection) -> None:
    connection.execute(
        "INSERT INTO etl.cycle (job, started_at, host, pid, etl_version, as_of, max_items, workers)"
        " VALUES ('datamart_users', now(), 'h', 1, '0', '2026-01-16', 0, 0)"
    )
    found = scrape()
    assert (found("etl_cycle_running"), found("etl_cycle_cut_off")) == (0, 1)
    assert "etl_running_cycle" not in found.text


@pytest.mark.usefixtures("worked")
def test_the_backlog_its_age_and_what_is_held(scrape: Ask, connection: Connection) -> None:
    connection.execute(
        "INSERT INTO etl.held_item (job, item_key, attempts, held_until, quarantined_at,"
        " last_cycle_id, last_outcome) SELECT 'datamart_users', 'q' || n, 5, now(), now(), 1,"
        " 'failed' FROM generate_series(1, 3) AS n"
    )
    assert (scrape()("etl_held_items"), scrape()("etl_quarantined_items")) == (1, 3)
    connection.execute("DELETE FROM etl.held_item")
    connection.execute("UPDATE dwh.dimension_users SET dirty_since = '2026-01-01' WHERE modified")
    found = scrape()
    expected = dict.fromkeys(LEVELS, 0.0) | counted(
        connection,
        "SELECT CASE WHEN last_action_at > now() - interval '3 days' THEN 'critical'"
        " ELSE 'lowest' END, count(*) FROM dwh.dimension_users WHERE modified GROUP BY 1",
    )
    assert found.by("level", "etl_backlog_items") == expected
    assert {level for level, items in expected.items() if items} == {"critical", "lowest"}
    since = number(connection, "SELECT extract(epoch FROM timestamptz '2026-01-01')")
    assert found.by("level", "etl_oldest_dirty_timestamp_seconds") == {
        "critical": since, "lowest": since,
    }  # fmt: skip
    now = number(connection, "SELECT extract(epoch FROM now())")
    ages = found.by("level", "etl_oldest_dirty_age_seconds")
    assert set(ages) == set(LEVELS)
    assert now - since - 60 < ages["critical"] <= now - since
    assert ages["high"] == 0
    assert found("etl_freshness_goal_seconds", level="critical") == 24 * 3600


def test_a_pause_lasts_until_it_is_over(scrape: Ask, connection: Connection) -> None:
    assert scrape()("etl_paused") == 0
    connection.execute(
        "INSERT INTO etl.control (job, paused_until) VALUES ('datamart_users', $1)", ["infinity"]
    )
    assert scrape()("etl_paused") == 1
    connection.execute("UPDATE etl.control SET paused_until = '2020-01-01'")
    assert scrape()("etl_paused") == 0


def test_what_is_not_known_is_absent_and_what_can_be_counted_begins_with_zero(scrape: Ask) -> None:
    found = scrape()
    assert not [name for name in found.names if "last" in name or "running_cycle" in name]
    assert "etl_oldest_dirty_timestamp_seconds" not in found.names
    assert set(found.by("level", "etl_items_total", outcome="failed").values()) == {0}
    assert set(found.by("level", "etl_oldest_dirty_age_seconds").values()) == {0}
