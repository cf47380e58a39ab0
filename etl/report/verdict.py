"""How a job stands, in one sentence or two."""

from collections.abc import Sequence

from etl.ledger.cycles import CycleRow
from etl.report import words
from etl.report.facts import Held, Verdict

_AS_PLANNED = ("drained", "limit", "time limit")
_STEADY = 0.02
"""A backlog that has changed by a smaller share of itself counts as the same."""


def judge(unit: str, cycles: Sequence[CycleRow], held: Held) -> Verdict:
    """Say how a job stands after the last of its cycles.

    What needs a person comes first: a cycle that did not end as planned, failures, a freshness
    goal that is missed; then whether the backlog grows.

    Args:
        unit: What an item is.
        cycles: The earliest first.
        held: What waits.
    """
    if not cycles:
        return Verdict("empty", "No cycle of this job has run yet.")
    last = cycles[-1]
    if last.finished_at is None:
        return Verdict("running", _running(unit, last))
    if last.stop_reason not in _AS_PLANNED:
        reason = last.stop_reason or "unknown"
        return Verdict("failed", f"Cycle {last.cycle_id} did not end as planned: {reason}.")
    whole = [cycle for cycle in cycles if not cycle.is_by_name]
    state, backlog = _backlog(unit, whole)
    failures, late = _failures(unit, last, held), _late(whole[-1]) if whole else ""
    if failures or late:
        told = " ".join(part for part in (failures, late, backlog) if part)
        return Verdict("failed" if failures else "late", told)
    return Verdict(state, f"Fresh: {backlog.lower()}" if state == "fresh" else backlog)


def _running(unit: str, cycle: CycleRow) -> str:
    queued = words.items(cycle.queued, unit)
    waits = f"; it waits: {cycle.waits_for}" if cycle.waits_for else ""
    return (
        f"Cycle {cycle.cycle_id} is running, or was cut off: "
        f"{cycle.claimed:,} of {queued} attempted{waits}."
    )


def _failures(unit: str, cycle: CycleRow, held: Held) -> str:
    """What failed and what waits for a person; empty: nothing."""
    failed = cycle.failed + cycle.orphaned
    told = [f"{words.items(failed, unit)} failed."] if failed else []
    if held.quarantined:
        verb = "waits" if held.quarantined == 1 else "wait"
        told.append(f"{words.items(held.quarantined, unit)} in quarantine {verb} for a person.")
    return " ".join(told)


def _late(cycle: CycleRow) -> str:
    """Which level misses its freshness goal, by how much; empty: none."""
    late = [level for level in cycle.levels if level.is_late]
    if not late:
        return ""
    age, goal = words.duration(late[0].age_s), words.duration(late[0].goal_s)
    others = len(late) - 1
    more = f", and {others} more level{'s' if others > 1 else ''} beyond the goal"
    return f"Late: {late[0].name} is dirty for {age}, goal {goal}{more if others else ''}."


def _backlog(unit: str, cycles: Sequence[CycleRow]) -> tuple[str, str]:
    """fresh, growing, backlog or empty, and a sentence about it.

    Args:
        unit: What an item is.
        cycles: Those that were not asked for one item by its name, the earliest first.
    """
    if not cycles:
        return "empty", "No cycle has looked at the backlog yet."
    last = cycles[-1]
    if last.remaining == 0:
        return "fresh", "Nothing remained of the backlog."
    verb = "remains" if last.remaining == 1 else "remain"
    remain = f"{words.items(last.remaining, unit)} {verb}"
    # One that ended before it had counted found nothing, and left nothing.
    before = [cycle for cycle in cycles[:-1] if cycle.finished_at and cycle.found]
    if not before:
        return "backlog", f"{remain} for the next cycle."
    first = before[0]
    change = last.remaining - first.remaining
    if abs(change) <= _STEADY * max(first.remaining, last.remaining):
        return "backlog", f"{remain}, about as many as after cycle {first.cycle_id}."
    if change > 0:
        told = f"The backlog is growing: {remain}, {change:,} more"
        return "growing", f"{told} than after cycle {first.cycle_id}."
    told = f"The backlog is shrinking: {remain}, {-change:,} fewer"
    return "backlog", f"{told} than after cycle {first.cycle_id}."
