"""``etl verify``: is what is stored what it should be?"""

import secrets
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from etl import settings
from etl.cli.database import connected
from etl.cli.jobs import job_named, units
from etl.cli.options import AsOf, Dsn, JobName, Json, day, utf_8
from etl.cli.output import printable, say, tell, to_json
from etl.cli.words import counted
from etl.errors import UsageError

if TYPE_CHECKING:
    from datetime import date

    from etl.job import Job
    from etl.verification import Verdict, Verifier

_SHOWN = 20
_SAMPLE = 400
_TELL_EVERY = 10_000


def command() -> Callable[..., None]:
    """The command; an item is named as its job calls it: ``--user``."""
    names = dict.fromkeys(["--item", *(f"--{unit}" for unit in units())])  # a unit may be item

    def verify(
        job: JobName,
        sample: Annotated[
            int | None,
            typer.Option(
                "--sample", min=1, max=settings.LARGEST, help="Recompute so many, chosen by lot."
            ),
        ] = None,
        every: Annotated[bool, typer.Option("--all", help="Recompute every clean item.")] = False,
        item: Annotated[
            str | None,
            typer.Option(*names, metavar="KEY", callback=utf_8, help="Recompute just this one."),
        ] = None,
        seed: Annotated[
            int | None,
            typer.Option("--seed", min=0, max=settings.LARGEST, help="Draw this lot again."),
        ] = None,
        fix: Annotated[bool, typer.Option("--fix", help="Mark the wrong ones dirty.")] = False,
        as_of: AsOf = None,
        json_output: Json = False,
        dsn: Dsn = None,
    ) -> None:
        """Find clean items whose results are wrong; exit 1 if there are any.

        Without --sample, --all or --item by the job's verify.sql, which looks at all of them by
        other means. Else each item is recomputed by the job's own statement, in a transaction
        that is rolled back, and compared column by column. Dirty items may be wrong.
        """
        from etl import verification

        found, today = job_named(job, may_be_stream=True), day(as_of)
        if sum((sample is not None, every, item is not None)) > 1:
            raise UsageError("--sample, --all and --item exclude each other", "Give one of them.")
        if seed is not None and (every or item is not None):
            raise UsageError("--seed draws a sample: it goes with no --all or --item", "Leave it.")
        if fix:
            _ = found.mark
        recomputes = every or any(given is not None for given in (sample, item, seed))
        with connected(dsn, "verify", found) as connection:
            if found.has_verify and not recomputes:
                verdict = verification.by_query(connection, found, today)
            else:
                verifier = verification.Verifier(connection, found, today)
                size = None if every or item is not None else sample or _SAMPLE
                lot = secrets.randbelow(2**31) if seed is None else seed
                verdict = _recomputed(verifier, found, size, lot, item)
            if fix:
                verification.mark(connection, found, verdict)
        if json_output:
            tell(to_json(as_object(found, today, verdict)))
        else:
            tell(as_text(found, today, verdict))
        raise typer.Exit(1 if verdict.wrong else 0)

    return verify


def _recomputed(
    verifier: "Verifier", job: "Job", sample: int | None, seed: int, item: str | None
) -> "Verdict":
    from etl.verification import Verdict

    items = verifier.draw(sample, seed, item)
    if item is not None and not items:
        raise UsageError(
            f"there is no clean {job.unit} {item}",
            f"It is dirty, so the next cycle refreshes it; or the job knows no such {job.unit}.",
        )
    verdict = Verdict("item" if item is not None else "all" if sample is None else "sample")
    if item is None:
        verdict.population = int(items[0]["population"]) if items else 0
    verdict.seed = None if sample is None else seed

    def on_checked(number: int) -> None:
        if number % _TELL_EVERY == 0:
            say(f"etl: {number:,} of {len(items):,}, {len(verdict.wrong):,} wrong so far")

    verifier.check(items, verdict, on_checked)
    return verdict


def as_object(job: "Job", as_of: "date", verdict: "Verdict") -> dict[str, Any]:
    """The verdict as docs/json/verify.schema.json has it."""
    told = asdict(verdict)
    return {
        "job": job.name,
        "as_of": as_of,
        **told,
        "wrong": len(verdict.wrong),
        "drift_rate": verdict.drift_rate,
        "drift_rate_at_most": verdict.drift_rate_at_most,
        "items": told["wrong"],
    }


def as_text(job: "Job", as_of: "date", verdict: "Verdict") -> str:
    """The wrong items and the verdict, for people."""
    lines: list[str] = []
    for item in verdict.wrong[:_SHOWN]:
        lines.append(printable(f"{job.unit} {item.item_key} {item.problem}"))
        lines += [
            printable(f"    {one.column}: {one.stored}, should be {one.recomputed}")
            for one in item.differences
        ]
    number, rate = len(verdict.wrong), verdict.drift_rate_at_most
    more = f" (the first {_SHOWN} above)" if number > _SHOWN else ""
    said = f"{number:,} wrong{more}" if number else "all right"
    lines.append(f"{job.title}: {said}{_scope(job, verdict)}, as of {as_of}")
    if rate is not None and verdict.checked != verdict.population:
        lines.append(
            f"with 95 % confidence at most {rate:.2%} of the {verdict.population:,} clean "
            f"{job.unit}s are wrong (--seed {verdict.seed})"
        )
    if verdict.marked:
        marked = counted(verdict.marked, job.unit)
        lines.append(f"marked {marked} dirty: the next cycle refreshes it")
    return "\n".join(lines)


def _scope(job: "Job", verdict: "Verdict") -> str:
    if verdict.checked is None:
        return ""
    skipped = f" ({verdict.skipped:,} skipped: in use)" if verdict.skipped else ""
    return f" of {counted(verdict.checked, job.unit)} recomputed{skipped}"
