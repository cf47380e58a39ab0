"""How a cycle is told: every number once, and the numbers add up."""

import json
import logging
import signal
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl import events
from etl.cli.display import Display
from etl.cli.exit_statuses import exit_status
from etl.cli.log import log_of
from etl.cli.narrator import Narrator
from etl.cli.render import as_object, outcome_line, summary
from etl.folders import sql_folder
from etl.job import load
from etl.model import Claim, CycleRecord, LevelCount, Outcome, Result

FAILED = Result(Outcome.FAILED, 1.5, "57014", "slow")
JOB = load(sql_folder() / "jobs" / "datamart_users")
KEYS = [
    *("job", "cycle_id", "found", "claimed", "done", "failed", "busy", "orphaned", "remaining"),
    *("held", "quarantined", "workers", "duration_s", "items_per_s", "stop_reason"),
    *("time_limit_s", "waited_s", "predicted_s", "predicted_p95_s", "levels", "remarks"),
]
LEVEL_KEYS = [
    *("level", "name", "found", "done", "failed", "busy", "orphaned"),
    *("oldest_dirty_at", "left", "oldest_left_at"),
]
COUNTS = ("done", "failed", "busy", "orphaned", "remaining")


def empty() -> CycleRecord:
    """A cycle that found nothing."""
    return CycleRecord("datamart_users", datetime(2026, 1, 16, 3, tzinfo=UTC), date(2026, 1, 16), 9)


def record() -> CycleRecord:
    """A cycle in which everything happened."""
    full = empty()
    full.cycle_id, full.workers, full.max_items = 42, 3, 1500
    full.levels = {
        1: LevelCount(1, "critical", found=1200, done=1190, failed=2, busy=3, orphaned=1),
        2: LevelCount(2, "high", found=800, done=10),
        3: LevelCount(3, "medium"),
    }
    full.held, full.quarantined = 4, 5
    full.duration_s, full.stop_reason = 12.34567, "limit"
    return full


def attempt(
    outcome: Outcome, sqlstate: str = "", message: str = "", key: str = "7"
) -> events.Event:
    """An attempt of worker 2."""
    return events.ItemAttempted(2, Claim(1, key, 1, {}), Result(outcome, 1.5, sqlstate, message))


def texts(event: events.Event, narrator: Narrator | None = None) -> list[str]:
    """The lines of an event, without severity and facts."""
    return [text for _, text, _ in (narrator or Narrator("user")).lines(event)]


def test_json_has_the_promised_keys_in_the_promised_order() -> None:
    told = as_object(record())
    assert list(told) == KEYS
    assert (told["job"], told["cycle_id"], told["stop_reason"]) == ("datamart_users", 42, "limit")
    assert (told["found"], told["claimed"], told["done"]) == (2000, 1206, 1200)
    assert (told["failed"], told["busy"], told["orphaned"], told["remaining"]) == (2, 3, 1, 794)
    assert (told["held"], told["quarantined"], told["workers"]) == (4, 5, 3)
    assert (told["duration_s"], told["items_per_s"]) == (12.346, 97.2)
    assert [list(level) for level in told["levels"]] == [LEVEL_KEYS] * 3
    assert json.loads(json.dumps(told)) == told


def test_json_of_a_cycle_that_found_nothing_is_whole() -> None:
    told = as_object(empty())
    assert list(told) == KEYS
    assert (told["found"], told["items_per_s"], told["levels"]) == (0, 0.0, [])


ATTEMPTS = st.lists(st.tuples(st.integers(1, 4), st.sampled_from(Outcome)), max_size=60)


@settings(max_examples=100, deadline=None)
@given(ATTEMPTS, st.lists(st.integers(0, 100), min_size=4, max_size=4))
def test_the_numbers_add_up_at_any_time(
    attempts: list[tuple[int, Outcome]], left: list[int]
) -> None:
    told = empty()
    for level, more in enumerate(left, start=1):
        tried = sum(1 for tried, _ in attempts if tried == level)
        told.levels[level] = LevelCount(level, f"level {level}", found=tried + more)
    for number, (level, outcome) in enumerate(attempts, start=1):
        told.count(Claim(1, "1", level, {}), outcome)
        numbers = as_object(told)
        assert numbers["found"] == sum(numbers[name] for name in COUNTS)
        assert numbers["claimed"] == number
    assert as_object(told)["remaining"] == sum(left)
    for outcome in Outcome:
        expected = sum(1 for _, happened in attempts if happened is outcome)
        assert as_object(told)[outcome.value] == expected


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (
            record(),
            "1,200 of 2,000 users done, 2 failed, 3 busy, 1 orphaned in 12.3 s (97/s); "
            "794 remain for the next cycle; 9 held after failures",
        ),
        (empty(), "0 of 0 users done in 0.0 s"),
        (replace(record(), is_dry_run=True), "would do 1,500 of 2,000 users with 3 workers"),
    ],
)
def test_the_outcome_is_one_line_of_what_happened_or_would(told: CycleRecord, line: str) -> None:
    assert outcome_line(told, "user") == line


def test_the_summary_is_a_table_whose_rows_add_up() -> None:
    lines = summary(record(), "User datamarts", "user").splitlines()
    assert lines[0] == "User datamarts: cycle 42, limit reached, as of 2026-01-16"
    assert lines[2].split() == ["level", "found", "done", "failed", "busy", "left"]
    assert [line.split() for line in lines[3:6]] == [
        ["1", "critical", "1,200", "1,190", "3", "3", "4"],
        ["2", "high", "800", "10", "0", "0", "790"],
        ["3", "medium", "0", "0", "0", "0", "0"],
    ]
    assert len({len(line) for line in lines[2:6]}) == 1
    assert lines[7:] == [outcome_line(record(), "user")]


def test_the_backlog_is_told_by_level_limit_and_workers() -> None:
    assert texts(events.BacklogCounted(record(), 1500, is_catch_up=False)) == [
        "found 2,000 users to refresh: 1,200 critical, 800 high",
        "limit 1,500: the first 1,500 in order of priority",
        "using 3 workers",
    ]
    assert texts(events.BacklogCounted(record(), 1500, is_catch_up=True))[1].startswith(
        "catching up, "
    )
    one = replace(record(), workers=1)
    assert texts(events.BacklogCounted(one, 2000, is_catch_up=False))[1:] == ["using 1 worker"]
    assert texts(events.BacklogCounted(empty(), 0, is_catch_up=False)) == ["no users to refresh"]


def test_a_worker_is_heard_of_every_hundred_items() -> None:
    narrator = Narrator("user")
    heard = [texts(attempt(Outcome.DONE, key=str(n)), narrator) for n in range(1, 201)]
    assert [n for n, lines in enumerate(heard, start=1) if lines] == [100, 200]
    assert heard[99] == ["worker 2: 100 users (now: user 100)"]
    other = events.ItemAttempted(1, Claim(1, "7", 1, {}), Result(Outcome.DONE))
    assert texts(other, narrator) == []
    assert texts(events.WorkerFinished(2, 0, replaced=False), narrator) == [
        "worker 2: finished, 200 users done"
    ]


def test_a_failure_is_told_with_reason_and_sqlstate() -> None:
    narrator = Narrator("user")
    (line,) = narrator.lines(attempt(Outcome.FAILED, "22012", "division by zero"))
    assert line[:2] == (logging.ERROR, "worker 2: user 7 failed: division by zero [22012]")
    assert line[2]["sqlstate"] == "22012"
    (line,) = narrator.lines(attempt(Outcome.BUSY, "55P03", "locked"))
    assert line[:2] == (logging.INFO, "worker 2: user 7 busy: locked [55P03]")
    (line,) = narrator.lines(attempt(Outcome.ORPHANED, message="its worker died"))
    assert line[:2] == (logging.ERROR, "worker 2: user 7 orphaned: its worker died")
    (line,) = narrator.lines(events.WorkerFinished(2, -signal.SIGKILL, replaced=True))
    assert line[:2] == (logging.ERROR, "worker 2: died of SIGKILL, replaced, 0 users done")


@pytest.mark.parametrize(
    ("event", "severity", "text"),
    [
        (
            events.WorkerFinished(1, 69, replaced=False),
            "ERROR",
            "worker 1: ended with exit status 69, ",
        ),
        (events.StopRequested(15, is_cancelling=False), "WARNING", "SIGTERM: finishing the users"),
        (events.StopRequested(2, is_cancelling=True), "WARNING", "SIGINT: cancelling the users"),
        (
            events.ItemDeferred(1, Claim(3, "42", 1, {}), FAILED),
            "WARNING",
            "worker 1: user 42 comes again at the end of the cycle: slow",
        ),
        (events.ConnectionLost("gone away"), "WARNING", "lost the database: gone away"),
        (
            events.CommitsLost(37),
            "WARNING",
            "the server has crashed; what it has lost is done again: 37",
        ),
        (events.ConnectionFound(), "WARNING", "found the database again"),
        (events.CycleAwaited(), "INFO", "waiting for a cycle with --queue postgres"),
        (events.CycleJoined(41, 2, 1), "INFO", "taking part in cycle 41 with 1 worker"),
        (events.CycleRecovered(41, 1200, 2), "WARNING", "cycle 41 before was cut off: 1,200 users"),
        (events.CycleFinished(record()), "ERROR", "1,200 of 2,000 users done, 2 failed"),
        (events.CycleFinished(empty()), "INFO", "0 of 0 users done"),
    ],
)
def test_what_happens_to_a_cycle_is_one_line(event: events.Event, severity: str, text: str) -> None:
    ((level, line, _),) = Narrator("user").lines(event)
    assert logging.getLevelName(level) == severity
    assert line.startswith(text)


def test_the_line_of_a_finished_cycle_carries_the_json_object() -> None:
    ((_, _, facts),) = Narrator("user").lines(events.CycleFinished(record()))
    assert facts == as_object(record())


def test_log_lines_are_one_json_object_each(capsys: pytest.CaptureFixture[str]) -> None:
    log = log_of(JOB, Narrator("user").lines, is_json=True)
    log(attempt(Outcome.FAILED, "XX000", "two\nlines", "7"))
    log(events.StopRequested(15, is_cancelling=False))
    first, second = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (first["severity"], first["job"], first["event"]) == (
        *("ERROR", "datamart_users", "ItemAttempted"),
    )
    assert (first["item_key"], first["sqlstate"], first["outcome"]) == ("7", "XX000", "failed")
    assert second["message"] == "SIGTERM: finishing the users in hand"


@pytest.mark.parametrize("text", ["two\nlines", "a\rb", "a\x1b[2Jb", "a\u2028b"])
def test_no_key_and_no_message_can_forge_a_log_line(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    log = log_of(JOB, Narrator("user").lines, is_json=False)
    log(attempt(Outcome.FAILED, "XX000", message=text, key=text))
    written = capsys.readouterr().err
    assert written.rstrip("\n").isprintable()
    assert "datamart-users: worker 2: user" in written


@pytest.mark.parametrize("text", ["[/red]", "[bold]", "[a]"])
def test_a_display_shows_a_message_as_it_is(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with Display(Narrator("user")) as display:
        display(events.BacklogCounted(record(), 1500, is_catch_up=False))
        display(attempt(Outcome.FAILED, "XX000", f"wrong {text}"))
    assert f"wrong {text} [XX000]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("failed", "orphaned", "quarantined", "stop_signal", "status"),
    [
        (0, 0, 0, None, 0),
        (0, 0, 2, None, 3),
        (1, 0, 2, None, 1),
        (0, 1, 2, None, 1),
        (300, 0, 0, None, 1),
        (1, 1, 2, signal.SIGTERM, 143),
        (0, 0, 0, signal.SIGINT, 130),
    ],
)
def test_the_exit_status_tells_the_worst(
    failed: int, orphaned: int, quarantined: int, stop_signal: int | None, status: int
) -> None:
    told = empty()
    told.levels[1] = LevelCount(1, "one", 900, done=5, failed=failed, busy=9, orphaned=orphaned)
    told.held, told.quarantined, told.stop_signal = 7, quarantined, stop_signal
    assert exit_status(told) == status
