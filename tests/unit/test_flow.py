"""When a backlog will be gone, from what was seen."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from unittest.mock import ANY

import pytest

from etl.cli.status import flow_line
from etl.desk.flow import Seen, judge
from etl.settings import LARGEST

FIRST = datetime(2026, 1, 1, 2, 30, tzinfo=UTC)
DAY = timedelta(days=1)
# Eleven nights of 500 each, from a backlog of 10,000 to which 100 a night were added.
SEEN = Seen(11, FIRST, FIRST + 10 * DAY, 10_000, 5_500, 500, 11, 500.0, "limit")
NOW = FIRST + 10 * DAY
LEFT = 10_000 + 10 * 100 - 5_500


def test_a_backlog_shrinks_by_what_is_done_less_what_comes_in() -> None:
    flow = judge(SEEN, LEFT, NOW)
    assert (flow.every_s, flow.arrivals_per_cycle, flow.capacity_per_cycle) == (86_400, 100, 500)
    # Each night but the last 100 more come in while 500 are done.
    assert (flow.gone_in_cycles, flow.gone_at) == (14, NOW + 14 * DAY)
    backlog, nights = LEFT, 0
    while backlog > 0:
        backlog, nights = backlog - 500 + (100 if backlog > 500 else 0), nights + 1
    assert nights == flow.gone_in_cycles


def test_a_backlog_that_grows_is_never_gone_and_it_is_said_what_would_do() -> None:
    flow = judge(SEEN, 10_000 + 10 * 700 - 5_500, NOW)
    assert (flow.arrivals_per_cycle, flow.is_never, flow.gone_in_cycles) == (700, True, None)
    assert flow.enough_items == 840


def test_where_cycles_get_nothing_done_one_item_a_cycle_is_the_least_that_would_do() -> None:
    stuck = replace(SEEN, done=0, last_stop_reason="time limit", done_when_cut=0.0)
    flow = judge(stuck, SEEN.first_found or 0, NOW)
    assert (flow.arrivals_per_cycle, flow.is_never, flow.enough_items) == (0, True, 1)


def test_a_cycle_by_a_clock_ahead_of_the_servers_counts_no_time_twice() -> None:
    first = SEEN.first_started_at
    assert first is not None
    assert judge(SEEN, LEFT, first) == replace(judge(SEEN, LEFT, NOW), gone_at=ANY)


def test_a_cycle_that_its_time_limit_ends_does_what_it_did() -> None:
    seen = replace(SEEN, last_max_items=100_000, last_stop_reason="time limit", done_when_cut=400.0)
    assert judge(seen, LEFT, NOW).capacity_per_cycle == 400


def test_a_backlog_below_one_cycle_is_gone_after_it() -> None:
    flow = judge(replace(SEEN, done=10_900), 100, NOW)
    assert (flow.gone_in_cycles, flow.gone_at) == (1, NOW + DAY)


def test_an_empty_backlog_is_gone() -> None:
    assert judge(SEEN, 0, NOW).gone_in_cycles == 0


def test_of_one_cycle_nothing_is_known() -> None:
    seen = replace(SEEN, cycles=1, last_started_at=FIRST)
    flow = judge(seen, 5, NOW)
    assert (flow.every_s, flow.gone_in_cycles, flow.is_never) == (None, None, False)
    assert judge(Seen(0, None, None, None, 0, None, 0, None, None), 0, NOW).gone_in_cycles == 0


def test_a_cycle_that_is_overdue_is_expected_now() -> None:
    flow = judge(replace(SEEN, done=10_900), 100, NOW + 3 * DAY)
    assert flow.gone_at == NOW + 3 * DAY


def test_what_shrinks_by_next_to_nothing_is_gone_when_no_calendar_tells() -> None:
    # 499.9 come in and 500 are done: 10,000,000,000 nights.
    flow = judge(replace(SEEN, first_found=10**9, done=5_000), 10**9 - 1, NOW)
    assert (flow.is_never, flow.gone_at) == (False, None)
    assert flow.gone_in_cycles == pytest.approx(10**10, rel=0.01)
    assert "cycles, after the year 9999: 500 users come in" in flow_line(flow, "users")


def test_a_cycle_without_a_limit_takes_all() -> None:
    flow = judge(replace(SEEN, last_max_items=LARGEST), LEFT, NOW)
    assert flow_line(flow, "users").endswith("(every 24 h), a cycle takes all")
