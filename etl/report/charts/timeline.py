"""Which worker of a cycle had an item in hand at which moment."""

from dataclasses import dataclass

from etl.ledger.attempts import SlowItem
from etl.ledger.cycles import CycleRow, WaitRow
from etl.report import words
from etl.report.charts.scales import Tick, percent_of, round_steps
from etl.report.facts import Block, Mark, Report, WorkerFacts

WIDTH = 1000
"""What the width of the path of a lane counts, whatever it is on the screen."""

_MOST_LANES = 48
_NARROWEST = 0.8  # of WIDTH: what is shorter is still seen
_LONG = 1 / 250  # of the cycle: shorter items are not shown singly
_LANES = ((6, 26, 10), (16, 18, 6), (_MOST_LANES, 10, 4))  # up to so many: height, space between


@dataclass(frozen=True, slots=True)
class Lane:
    """A worker.

    Attributes:
        middle: Where its name stands, pixels from the top.
        busy: Its share of the cycle with an item in hand, of 1.
        path: The times in which it worked, an SVG path in units of WIDTH and pixels.
    """

    worker: int
    top: float
    middle: float
    height: float
    busy: float
    path: str
    title: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A time with a name: an item that took long, or a wait of the whole cycle."""

    left: float
    width: float
    top: float
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class Dot:
    """Attempts that were not done; kind is their outcome."""

    left: float
    middle: float
    radius: float
    kind: str
    title: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """The picture.

    Attributes:
        hidden: Workers beyond those that are shown.
        ticks: Seconds since the cycle began.
        first_s: When the first item was claimed, seconds since the cycle began.
        after_s: From the last outcome to the end of the cycle, seconds.
    """

    height: float
    lanes: list[Lane]
    long_items: list[Bar]
    waits: list[Bar]
    dots: list[Dot]
    ticks: list[Tick]
    hidden: int
    first_s: float
    after_s: float


def draw(report: Report, cycle: CycleRow) -> Timeline:
    """Lay it out.

    Args:
        report: Has the workers, marks and slowest items.
        cycle: The cycle that they are of.
    """
    shown = report.workers[:_MOST_LANES]
    tall, space = next((tall, space) for most, tall, space in _LANES if len(shown) <= most)
    span_s = cycle.duration_s or 0.001
    tops = {worker.worker: number * (tall + space) for number, worker in enumerate(shown)}
    height = max(0, len(shown) * (tall + space) - space)
    blocks = [block for worker in report.workers for block in worker.blocks]
    return Timeline(
        height=height,
        lanes=[_lane(worker, tops[worker.worker], tall, span_s) for worker in shown],
        long_items=[
            _long_item(item, report.job.unit, tops[item.worker], tall, span_s)
            for item in report.slowest
            if item.worker in tops and item.duration_ms / 1000 >= span_s * _LONG
        ],
        waits=[
            _bar(wait.from_s, wait.seconds, span_s, 0, height, _wait_title(wait))
            for wait in cycle.waits
        ],
        dots=[
            _dot(mark, report.job.unit, tops[mark.worker], tall, span_s)
            for mark in report.marks
            if mark.worker in tops
        ],
        ticks=_ticks(span_s),
        hidden=len(report.workers) - len(shown),
        first_s=max(0.0, min((block.from_s for block in blocks), default=0.0)),
        after_s=max(0.0, span_s - max((block.to_s for block in blocks), default=span_s)),
    )


def _ticks(span_s: float) -> list[Tick]:
    places = ((at, percent_of(at, span_s)) for at in round_steps(span_s, 5, is_time=True))
    return [
        Tick(place, words.round_time(at), "start" if at == 0 else "end" if place > 94 else "middle")
        for at, place in places
    ]


def _lane(worker: WorkerFacts, top: float, tall: float, span_s: float) -> Lane:
    busy = min(1.0, worker.busy_s / span_s)
    return Lane(
        worker=worker.worker,
        top=top,
        middle=top + tall / 2,
        height=tall,
        busy=busy,
        path="".join(_piece(block, top, tall, span_s) for block in worker.blocks),
        title=f"worker {worker.worker}: {worker.items:,} attempts, at work for "
        f"{words.duration(worker.busy_s)}, {words.percent(busy)} of the cycle",
    )


def _piece(block: Block, top: float, tall: float, span_s: float) -> str:
    left = WIDTH * percent_of(block.from_s, span_s) / 100
    width = max(_NARROWEST, WIDTH * percent_of(block.to_s, span_s) / 100 - left)
    left = min(left, WIDTH - width)
    return f"M{left:.4g} {top:g}h{width:.4g}v{tall:g}h-{width:.4g}z"


def _bar(
    from_s: float, seconds: float, span_s: float, top: float, height: float, title: str
) -> Bar:
    left = percent_of(from_s, span_s)
    return Bar(left, round(percent_of(from_s + seconds, span_s) - left, 2), top, height, title)


def _long_item(item: SlowItem, unit: str, top: float, tall: float, span_s: float) -> Bar:
    took = words.milliseconds(item.duration_ms)
    title = f"{took} for {unit} {item.item_key}"
    return _bar(item.from_s, item.duration_ms / 1000, span_s, top, tall, title)


def _wait_title(wait: WaitRow) -> str:
    return f"waited {words.duration(wait.seconds)}: {wait.reason}"


def _dot(mark: Mark, unit: str, top: float, tall: float, span_s: float) -> Dot:
    code = f", SQLSTATE {mark.sqlstate}" if mark.sqlstate else ""
    more = f" and {mark.items - 1:,} more" if mark.items > 1 else ""
    title = f"{mark.outcome}: {unit} {mark.item_key}{more}{code}"
    left, radius = percent_of(mark.at_s, span_s), min(4.0, tall / 6)
    return Dot(left, top + tall / 2, round(radius, 1), mark.outcome, title)
