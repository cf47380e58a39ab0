"""Makes HTML of a report: one page that needs nothing but itself.

Its policy (a ``Content-Security-Policy`` of its own) lets it load nothing and run nothing; even
its one style sheet is admitted by its hash only. All text is escaped by the template engine,
whatever keys and messages are.
"""

import base64
import hashlib
from collections.abc import Callable
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from etl.report import words
from etl.report.charts import backlog, cost, freshness, timeline
from etl.report.facts import Report

_TABLE = 15
"""So many of the slowest items are told in full; more are shown in the timeline."""


def render(report: Report, as_line: Callable[[str], str]) -> str:
    """The page.

    Args:
        report: What it tells.
        as_line: Makes any text one line without control characters.
    """
    environment = _environment(as_line)
    loader = environment.loader
    style = loader.get_source(environment, "page.css")[0] if loader else ""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    cycle, cycles = report.cycle, report.cycles
    return environment.get_template("page.html.j2").render(
        report=report,
        job=report.job,
        cycle=cycle,
        cycles=cycles[::-1],
        levels={level.level: level.name for level in cycle.levels} if cycle else {},
        has_ages=any(level.oldest_s is not None for c in cycles for level in c.levels),
        slowest=report.slowest[:_TABLE],
        total_ms=sum(each.total_ms for each in report.costs),
        timeline=timeline.draw(report, cycle) if cycle else None,
        backlog=backlog.draw(cycles, report.job.unit) if cycles else None,
        freshness=freshness.draw(cycles) if cycles else [],
        cost=cost.draw(report.costs) if report.costs else None,
        sizes={
            "backlog": backlog.HEIGHT,
            "freshness": freshness.HEIGHT,
            "cost": cost.HEIGHT,
            "timeline": timeline.WIDTH,
        },
        style=Markup(style),  # noqa: S704 (the shipped file)
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'",
    )


def _unbroken(say: Callable[[Any], str]) -> Callable[[Any], str]:
    """A filter that keeps a number and its unit on one line."""
    return lambda number: say(number).replace(" ", "\N{NO-BREAK SPACE}")


def _environment(as_line: Callable[[str], str]) -> Environment:
    environment = Environment(
        loader=PackageLoader("etl.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        count=words.count,
        rate=words.rate,
        duration=_unbroken(words.duration),
        milliseconds=_unbroken(words.milliseconds),
        percent=_unbroken(words.percent),
        moment=words.moment,
        weights=cost.weights,
        line=words.shortened(as_line),
    )
    return environment
