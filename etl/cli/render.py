"""The record of a cycle as a sentence, a table, and an object."""

from typing import Any

from etl.cli.output import printable
from etl.cli.words import counted, seconds
from etl.model import CycleRecord, Prediction

_AS_THEY_ARE = (
    *("job", "cycle_id", "found", "claimed", "done", "failed", "busy", "orphaned", "remaining"),
    *("held", "quarantined", "workers"),
)


def outcome_line(record: CycleRecord, unit: str) -> str:
    """The one line that says how a cycle ended."""
    if record.is_dry_run:
        queued = min(record.found, record.max_items)
        workers = counted(record.workers, "worker")
        return f"would do {queued:,} of {record.found:,} {unit}s with {workers}"
    counts = f"{record.done:,} of {record.found:,} {unit}s done"
    for outcome in ("failed", "busy", "orphaned"):
        number = getattr(record, outcome)
        counts += f", {number:,} {outcome}" if number else ""
    rest = f"; {record.remaining:,} remain for the next cycle" if record.remaining else ""
    speed = f" ({record.items_per_s:,.0f}/s)" if record.done else ""
    held = record.held + record.quarantined
    waiting = f"; {held:,} held after failures" if held else ""
    return f"{counts} in {record.duration_s:.1f} s{speed}{rest}{waiting}"


def as_object(record: CycleRecord) -> dict[str, Any]:
    """The object with which a job's --json ends."""
    return {
        **{name: getattr(record, name) for name in _AS_THEY_ARE},
        "duration_s": round(record.duration_s, 3),
        "items_per_s": round(record.items_per_s, 1),
        "stop_reason": record.stop_reason,
        "time_limit_s": record.time_limit_s,
        "waited_s": round(record.waited_s, 3),
        "predicted_s": record.predicted and round(record.predicted.mean_s, 3),
        "predicted_p95_s": record.predicted and round(record.predicted.p95_s, 3),
        "levels": [level.as_dict() for level in record.levels.values()],
        "remarks": [remark._asdict() for remark in record.remarks],
    }


def prediction_line(predicted: Prediction) -> str:
    """How long something is expected to take, and how sure that is."""
    return f"{seconds(predicted.mean_s)}, at most {seconds(predicted.p95_s)} in 19 of 20 cases"


def summary(record: CycleRecord, title: str, unit: str, *, tells_prediction: bool = True) -> str:
    """The table and the sentence with which a cycle ends for people."""
    number = f"cycle {record.cycle_id}, " if record.cycle_id else ""
    reason = {"limit": "limit reached"}.get(record.stop_reason or "", record.stop_reason)
    rows = [f"{title}: {number}{reason}, as of {record.as_of}", ""]
    rows.append(f"  {'level':<22}{'found':>10}{'done':>10}{'failed':>10}{'busy':>10}{'left':>10}")
    for level in record.levels.values():
        failed = level.failed + level.orphaned
        numbers = (level.found, level.done, failed, level.busy, level.found - level.claimed)
        name = f"{level.level} {level.name}"
        rows.append(f"  {name:<22}" + "".join(f"{number:>10,}" for number in numbers))
    rows += ["", outcome_line(record, unit)]
    width = max((len(remark.what) for remark in record.remarks), default=0)
    for what, value, sample in record.remarks:
        rows.append(printable(f"  {what:<{width}}  {value}" + (f"  ({sample})" if sample else "")))
    if record.predicted is not None and tells_prediction:
        rows.append(f"predicted: {prediction_line(record.predicted)}")
    return "\n".join(rows)
