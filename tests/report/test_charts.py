"""What the pictures show: places, sizes, round numbers, words, verdicts; without a database."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import etl.report
from etl.ledger.attempts import SlowItem
from etl.ledger.cycles import CycleRow, LevelRow, WaitRow
from etl.report import words
from etl.report.charts import backlog, cost, freshness, timeline
from etl.report.charts.scales import decades, every, log_place, round_steps
from etl.report.facts import Block, Cost, Held, JobFacts, Mark, Report, Verdict, WorkerFacts
from etl.report.verdict import judge

AT = datetime(2026, 1, 16, 3, tzinfo=UTC)
JOB = JobFacts("notes", "Notes", "note", 10, 10, 5, 90, 60.0, 600.0, 1.0, None)
NOTHING = Held(0, 0, 0, [])


def cycle(number: int = 1, *, found: int = 100, done: int = 100, failed: int = 0) -> CycleRow:
    """A cycle of a hundred seconds that drained its backlog."""
    return CycleRow(
        cycle_id=number, started_at=AT, finished_at=AT + timedelta(seconds=100), duration_s=100.0,
        host="a", pid=1, etl_version="1", as_of=date(2026, 1, 16), max_items=100, workers=2,
        time_limit_s=None, predicted_s=None, predicted_p95_s=None,
        stop_reason="limit" if found - done - failed else "drained", waits_for=None, found=found,
        done=done, failed=failed, busy=0, orphaned=0, remaining=found - done - failed,
        items_per_s=done / 100, waited_s=0.0, oldest_left_s=None, levels=[], waits=[],
    )  # fmt: skip


def level(
    oldest_s: float | None, left: int | None, left_s: float | None, goal_s: float | None = None
) -> LevelRow:
    return LevelRow(1, "high", 9, 9, 0, 0, 0, 0, None, oldest_s, left, None, left_s, goal_s)


def drawn(workers: list[WorkerFacts], its: CycleRow, **more: Any) -> timeline.Timeline:
    report = Report(
        job=JOB, database="db", reported_at=AT, etl_version="1", verdict=Verdict("fresh", ""),
        cycle=its, cycles=[its], workers=workers, gap_s=0.1, marks=[], slowest=[], costs=[],
        failures=[], held=NOTHING,
    )  # fmt: skip
    return timeline.draw(replace(report, **more), its)


def test_a_block_of_a_lane_is_as_long_as_its_time() -> None:
    workers = [
        WorkerFacts(1, 3, 50.0, [Block(0, 25, 2), Block(50, 75, 1)]),
        WorkerFacts(2, 1, 0.0, [Block(100, 100, 1)]),
    ]
    first, second = drawn(workers, cycle()).lanes
    assert first.path == "M0 0h250v26h-250zM500 0h250v26h-250z"
    assert first.busy == 0.5
    # Too short to be seen, at the very end: it is still there, and not beyond it.
    assert second.path == "M999.2 36h0.8v26h-0.8z"
    assert (second.top, second.middle) == (36, 49)


def test_long_items_waits_and_failures_lie_where_they_happened() -> None:
    workers = [WorkerFacts(7, 9, 9.0, [Block(0, 100, 9)])]
    its = replace(cycle(), waits=[WaitRow("lag", 90.0, 30.0)])
    chart = drawn(
        workers, its,
        slowest=[SlowItem("x", 1, 7, "done", 20.0, 5000.0, None),
                 SlowItem("quick", 1, 7, "done", 20.0, 5.0, None)],
        marks=[Mark(7, "failed", 33.0, 3, "y", "22012")],
    )  # fmt: skip
    (item,), (wait,), (dot,) = chart.long_items, chart.waits, chart.dots
    assert (item.left, item.width, item.title) == (20.0, 5.0, "5.0 s for note x")
    assert (wait.left, wait.width) == (90.0, 10.0)
    assert (dot.left, dot.middle, dot.kind) == (33.0, 13.0, "failed")
    assert dot.title == "failed: note y and 2 more, SQLSTATE 22012"
    ticks = ", ".join(tick.text for tick in chart.ticks)
    assert ticks == "0, 20 s, 40 s, 1 min, 1 min 20 s, 1 min 40 s"


def test_more_workers_than_lanes_are_counted() -> None:
    chart = drawn([WorkerFacts(n, 1, 1.0, [Block(0, 1, 1)]) for n in range(60)], cycle())
    assert (len(chart.lanes), chart.hidden) == (48, 12)
    assert chart.height < 700


def test_a_column_is_as_high_as_its_backlog_and_its_parts_touch() -> None:
    chart = backlog.draw([cycle(1, found=200, done=100, failed=50), cycle(2)], "note")
    parts = chart.columns[0].parts
    assert [part.kind for part in parts] == ["done", "failed", "remaining"]
    assert [part.height for part in parts] == [81.0, 40.5, 40.5]
    bottoms = [part.top + part.height for part in parts]
    assert bottoms == [180.0, *(part.top for part in parts[:-1])]
    assert [line.text for line in chart.lines] == ["0", "50", "100", "150", "200"]
    assert chart.lines[-1].place == parts[-1].top
    assert chart.kinds == ["done", "failed", "remaining"]
    title = chart.columns[0].title
    assert "cycle 1, 2026-01-16 03:00:00: found 200 notes: 100 done, 50 failed" in title


def test_freshness_is_drawn_against_its_goal() -> None:
    (row,) = freshness.draw([
        replace(cycle(1), levels=[level(100.0, 0, None, 50.0)]),
        replace(cycle(2), levels=[level(80.0, 2, 60.0, 50.0)]),
        replace(cycle(3), levels=[]),
        replace(cycle(4), levels=[level(80.0, None, None, 50.0)]),
    ])  # fmt: skip
    assert [(stem.before, stem.after) for stem in row.stems] == [
        (6.0, 46.0),
        (14.0, 22.0),
        (14.0, None),
    ]
    assert (row.goal, row.age_s, row.is_late, row.longest_s) == (26.0, 80.0, True, 100.0)
    assert freshness.draw([replace(cycle(), levels=[level(None, None, None)])]) == []


def test_costs_are_drawn_by_powers_of_ten() -> None:
    chart = cost.draw(
        [Cost(0, 1, 5, 1.0, 10.0, 20.0, 50.0), Cost(1024, 2048, 1, 100.0, 100.0, 1, 1)]
    )
    assert [line.text for line in chart.lines] == ["1 ms", "10 ms", "100 ms"]
    assert [(spot.median, spot.p95) for spot in chart.bins] == [(200.0, 109.0), (18.0, 18.0)]
    assert [label.text for label in chart.labels] == ["0", "1k"]
    assert chart.bins[1].title.startswith("weight 1,024 to 2,047: 1 attempt, half within 100 ms")
    assert [cost.short(float(2**power)) for power in (5, 16, 20, 33)] == ["32", "64k", "1M", "8G"]


def test_a_scale_has_round_steps_and_holds_every_value() -> None:
    assert round_steps(97, 5) == [0, 20, 40, 60, 80]
    assert round_steps(0.3, 4) == pytest.approx([0, 0.1, 0.2, 0.3])
    assert round_steps(4 * 3600, 5, is_time=True) == [0, 3600, 7200, 10800, 14400]
    assert round_steps(30 * 86400, 5, is_time=True) == [0, 864000, 1728000, 2592000]
    assert decades([3.0, 70.0]) == (1.0, 100.0)
    assert decades([0.0]) == (1.0, 10.0)
    assert [log_place(value, 1, 100) for value in (0, 1, 10, 1000)] == [0, 0, 0.5, 1]
    assert list(every(10, 4)) == [0, 3, 6, 9]
    assert list(every(2, 6)) == [0, 1]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, words.UNKNOWN), (0, "0 s"), (0.0004, "0.40 ms"), (0.35, "350 ms"), (0.9996, "1.0 s"),
        (12.34, "12.3 s"), (59.96, "1 min"), (245, "4 min 5 s"), (11520, "3 h 12 min"),
        (446400, "5 d 4 h"),
    ],
)  # fmt: skip
def test_a_duration_is_told_in_its_two_largest_units(seconds: float | None, said: str) -> None:
    assert words.duration(seconds) == said


def by_name(number: int, failed: int = 0) -> CycleRow:
    """A cycle for an item that was asked for by name."""
    requested = replace(level(None, None, None), level=0, name="requested")
    return replace(cycle(number, found=1, done=1 - failed, failed=failed), levels=[requested])


FRESH = "Fresh: nothing remained of the backlog."


@pytest.mark.parametrize(
    ("cycles", "held", "state", "said"),
    [
        ([], NOTHING, "empty", "No cycle of this job has run yet."),
        ([cycle()], NOTHING, "fresh", FRESH),
        ([cycle(1, done=90), cycle(2)], NOTHING, "fresh", FRESH),
        ([cycle(1, done=99)], NOTHING, "backlog", "1 note remains for the next cycle."),
        ([cycle(1, done=90), cycle(2, done=70)], NOTHING, "growing",
         "The backlog is growing: 30 notes remain, 20 more than after cycle 1."),
        ([cycle(1, done=50), cycle(2, done=70)], NOTHING, "backlog",
         "The backlog is shrinking: 30 notes remain, 20 fewer than after cycle 1."),
        ([cycle(1, done=1), by_name(2), cycle(3, done=2)], NOTHING, "backlog",
         "98 notes remain, about as many as after cycle 1."),
        ([cycle(1, done=1), by_name(2)], NOTHING, "backlog",
         "99 notes remain for the next cycle."),
        ([by_name(1)], NOTHING, "empty", "No cycle has looked at the backlog yet."),
        ([by_name(1, failed=1)], NOTHING, "failed",
         "1 note failed. No cycle has looked at the backlog yet."),
        ([cycle(1, done=98, failed=2)], NOTHING, "failed",
         "2 notes failed. Nothing remained of the backlog."),
        ([cycle()], Held(3, 2, 0, []), "failed",
         "2 notes in quarantine wait for a person. Nothing remained of the backlog."),
        ([replace(cycle(4), stop_reason="crashed")], NOTHING, "failed",
         "Cycle 4 did not end as planned: crashed."),
        ([replace(cycle(), levels=[level(1.0, 1, 600.0, 300.0)])], NOTHING, "late",
         "Late: high is dirty for 10 min, goal 5 min. Nothing remained of the backlog."),
        ([replace(cycle(1, done=99, failed=1), levels=[level(None, 0, None, 1.0)] * 2
                  + [level(600.0, None, None, 300.0), level(None, 1, 301.0, 300.0)])],
         NOTHING, "failed", "1 note failed. Late: high is dirty for 10 min, goal 5 min, and 1 more "
         "level beyond the goal. Nothing remained of the backlog."),
        ([replace(cycle(3), finished_at=None, stop_reason=None, waits_for="load")], NOTHING,
         "running", "Cycle 3 is running, or was cut off: 100 of 100 notes attempted; "
         "it waits: load."),
    ],
)  # fmt: skip
def test_the_verdict_tells_the_worst_first(
    cycles: list[CycleRow], held: Held, state: str, said: str
) -> None:
    assert judge(JOB.unit, cycles, held) == Verdict(state, said)


def test_every_colour_can_be_read() -> None:
    """WCAG 2.1 AA: 4.5 for text, 3 for what a picture is made of; in light, dark and print."""
    css = (Path(etl.report.__file__).parent / "templates/page.css").read_text()
    palettes = [
        dict(re.findall(r"--(\w+): (#\w+)", part)) for part in re.findall(r":root \{[^}]*", css)
    ]
    assert len(palettes) == 3
    for palette in (palettes[0] | its_own for its_own in palettes):
        for paper in ("paper", "card"):
            for ink in ("ink", "soft", "failed"):
                assert contrast(palette[ink], palette[paper]) >= 4.5, (ink, paper)
        for shape in ("done", "deep", "failed", "busy", "orphaned", "remaining", "good", "wait"):
            assert contrast(palette[shape], palette["paper"]) >= 3, shape


def contrast(one: str, other: str) -> float:
    """The ratio of two colours as WCAG defines it."""

    def luminance(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
        parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
        red, green, blue = (
            p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
