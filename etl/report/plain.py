"""A report as JSON has it; its shape is docs/json/report.schema.json."""

from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Any, cast

from etl.report.facts import CycleFacts, Report


def plain(report: Report) -> dict[str, Any]:
    """All of a report in types that JSON has: times as text, UTC."""
    told = cast("dict[str, Any]", _plain(asdict(report)))
    told["cycles"] = [_with_rate(*pair) for pair in zip(told["cycles"], report.cycles, strict=True)]
    if report.cycle is not None:
        told["cycle"] = _with_rate(told["cycle"], report.cycle)
    return told


def _with_rate(told: dict[str, Any], cycle: CycleFacts) -> dict[str, Any]:
    return {**told, "items_per_s": round(cycle.items_per_s, 3)}


def _plain(value: object) -> object:
    if isinstance(value, dict):
        inner = cast("dict[str, object]", value)
        return {key: _plain(each) for key, each in inner.items()}
    if isinstance(value, list):
        return [_plain(each) for each in cast("list[object]", value)]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return value
