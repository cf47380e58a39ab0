"""What a bench has found, for people and as an object."""

from collections import Counter
from dataclasses import asdict
from typing import Any

from etl.bench.report import Listing, OneWorker, Report, Run, Spread, Tally
from etl.bench.waits import Load
from etl.cli.output import printable
from etl.job import Job

_SHOWN = 5
_NOT_SHOWN = """\
Not in these figures: what a COMMIT costs (the disk's flush, deferred constraints and triggers,
NOTIFY). Kept in spite of the rollback: numbers taken from sequences, and dead rows until the
next vacuum."""


def as_text(report: Report, job: Job) -> str:
    """The report for people."""
    unit = job.unit
    parts = [f"{job.title}: bench as of {report.as_of}, rolled back, {report.duration_s:.0f} s"]
    if report.cycle is not None:
        parts.append(f"A cycle is running now ({report.cycle}): it shares what is measured here.")
    if report.listing is not None:
        parts.append(_listing(report.listing, unit))
        if not report.listing.listed:
            return "\n\n".join([*parts, f"No {unit} is dirty: there is nothing more to measure."])
    parts.append(_one_worker(report, unit))
    if report.runs:
        parts.append(_runs(report.runs, unit))
    if report.limit is not None:
        event = f" ({report.limit.event})" if report.limit.event else ""
        parts.append(f"limit: {report.limit.resource}{event}\n  {report.limit.advice}")
    if report.is_over:
        parts.append("The time was too short for all of it: give more --time-limit.")
    return "\n\n".join([*parts, _NOT_SHOWN])


def _listing(listing: Listing, unit: str) -> str:
    reads = listing.reads
    held = f", {listing.held:,} held" if listing.held else ""
    lines = [
        "listing",
        f"  backlog.sql     {_ms(listing.backlog_s)}   {listing.found:,} {unit}s dirty{held}",
        f"  prioritize.sql  {_ms(listing.prioritize_s)}   {listing.listed:,} listed, "
        f"{reads.rows:,} rows read, {listing.rows_an_item:.1f} for each dirty {unit}",
    ]
    lines += [
        f"    {printable(one.relation):<32}{one.rows:>12,} rows" for one in reads.relations[:_SHOWN]
    ]
    if reads.temp_blocks:
        lines.append(
            f"    {reads.sorts_on_disk} sort(s) on disk, {reads.temp_blocks:,} blocks of temporary "
            "files: more work_mem spares them"
        )
    beyond = reads.beyond(listing.found + listing.held)
    if not beyond:
        lines.append("  what is read is in proportion to the backlog")
    for one in beyond:
        how = " by a sequential scan" if one.by_seq_scan > one.rows / 2 else ""
        lines.append(
            f"  {printable(one.relation)} is read beyond the backlog: {one.rows:,} rows{how}, "
            f"{one.removed:,} of them for nothing"
        )
    return "\n".join(lines)


def _one_worker(report: Report, unit: str) -> str:
    told = _outcomes(report.tally)
    one = report.one_worker
    if one is None:
        return f"one worker: {told}; no {unit} was done, so there is nothing to measure"
    return "\n".join(
        [
            f"one worker: {told}",
            f"  {'':<16}{'median':>10}{'p95':>10}{'max':>10}{'mean':>10}",
            _spread("statement", one.statement),
            _spread("engine", one.engine),
            _spread("bare statement", one.bare),
            f"  engine: {one.engine_share:.1%} of the time; {one.ratio:.2f} of the speed of the "
            f"bare statements; a round trip takes {_ms(one.round_trip_s).strip()}",
        ]
    )


def _spread(name: str, spread: Spread) -> str:
    times = (spread.median_s, spread.p95_s, spread.max_s, spread.mean_s)
    return f"  {name:<16}" + "".join(_ms(seconds) for seconds in times)


def _runs(runs: list[Run], unit: str) -> str:
    lines = [f"workers   {unit + 's/s':>10}  speed-up  evenness  processors  backends"]
    for run in runs:
        load = run.load
        host = "-" if load.host_busy is None else f"{load.host_busy:.0%}"
        at = ", ".join(f"{at} {share:.0%}" for at, share in load.shares.items())
        lines.append(
            f"{load.workers:>7}   {run.items_per_s:>10,.0f}{load.speed_up:>10.2f}"
            f"{run.evenness:>10.2f}{host:>12}  {at}"
        )
        if not run.is_whole or run.tally.failed or run.tally.busy:
            cut = "" if run.is_whole else ", cut short"
            lines.append(f"          {_outcomes(run.tally)}{cut}")
    longest = runs[-1]
    lines.append(
        f"  {runs[0].tally.items:,} {unit}s each; evenness: the work shared evenly against the "
        f"time it took, 1 is ideal; the longest {unit} took {_ms(longest.longest_s).strip()}"
    )
    return "\n".join(lines)


def _outcomes(tally: Tally) -> str:
    told = f"{tally.done:,} done"
    told += f", {tally.busy:,} busy" if tally.busy else ""
    return told + (f", {tally.failed:,} failed: {printable(tally.failure)}" if tally.failed else "")


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:>7,.2f} ms"


def as_object(report: Report) -> dict[str, Any]:
    """The report as an object; durations in seconds."""
    return {
        "job": report.job,
        "as_of": report.as_of,
        "items": report.items,
        "running_cycle": report.cycle,
        "listing": None if report.listing is None else _listing_object(report.listing),
        "outcomes": asdict(report.tally),
        "one_worker": None if report.one_worker is None else _one_worker_object(report.one_worker),
        "runs": [_run_object(run) for run in report.runs],
        "limit": None if report.limit is None else asdict(report.limit),
        "is_over": report.is_over,
        "duration_s": round(report.duration_s, 3),
    }


def _listing_object(listing: Listing) -> dict[str, Any]:
    beyond = listing.reads.beyond(listing.found + listing.held)
    return {
        **asdict(listing),
        "rows_read": listing.reads.rows,
        "rows_an_item": round(listing.rows_an_item, 2),
        "in_proportion": not beyond,
        "read_beyond": [one.relation for one in beyond],
    }


def _one_worker_object(one: OneWorker) -> dict[str, Any]:
    ratios = {"engine_share": round(one.engine_share, 4), "ratio": round(one.ratio, 3)}
    return asdict(one) | ratios


def _run_object(run: Run) -> dict[str, Any]:
    load = run.load
    of_load = ("workers", "host_busy", "client_busy", "is_local")
    return {
        **{name: getattr(load, name) for name in of_load},
        **{name: getattr(run, name) for name in ("makespan_s", "work_s", "longest_s", "is_whole")},
        "outcomes": asdict(run.tally),
        "items_per_s": round(run.items_per_s, 1),
        "speed_up": round(load.speed_up, 3),
        "evenness": round(run.evenness, 4),
        "backends": {str(at): round(share, 4) for at, share in load.shares.items()},
        "waits": dict(_waits(load).most_common()),
    }


def _waits(load: Load) -> Counter[str]:
    """How often each wait was seen, in PostgreSQL's words."""
    waits = Counter[str]()
    for seen, number in load.seen.items():
        waits[seen.event or seen.at] += number
    return waits
