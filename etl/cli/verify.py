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

    from etl.db import Connection
    from etl.job import Job
    from etl.verification import Checked, Verifier

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
        from etl.verification import Verifier

        found, today = job_named(job, may_be_stream=True), day(as_of)
        if sum((sample is not None, every, item is not None)) > 1:
            raise UsageError("--sample, --all and --item exclude each other", "Give one of them.")
        if fix:
            _ = found.mark
        is_by_query = found.has_verify and sample is None and not every and item is None
        with connected(dsn, "verify", found) as connection:
            if is_by_query:
                told = by_query(connection, found, today)
            else:
                verifier = Verifier(connection, found, today)
                size = None if every or item is not None else sample or _SAMPLE
                lot = secrets.randbelow(2**31) if seed is None else seed
                told = _by_recomputing(verifier, found, size, lot, item)
            keys = [wrong["item_key"] for wrong in told["items"]]
            if fix and keys:
                Verifier(connection, found, today).mark(keys)
                told["marked"] = len(keys)
        told = {"job": found.name, "as_of": today, **told}
        tell(to_json(told) if json_output else verdict_text(found, told))
        raise typer.Exit(1 if told["items"] else 0)

    return verify


def by_query(connection: "Connection", job: "Job", as_of: "date") -> dict[str, Any]:
    """What the job's verify.sql finds, as docs/json/verify.schema.json has it."""
    from etl import db

    cursor = db.run(connection, job.verify, **job.parameters(as_of))
    if cursor.description is None or len(cursor.description) != 2:
        raise UsageError(
            f"{job.verify.path} must return two columns, item_key and problem",
            "Correct the query.",
        )
    items: list[dict[str, Any]] = [
        {"item_key": str(key), "problem": str(problem), "differences": []}
        for key, problem in cursor
    ]
    return _result("verify.sql", items)


def _by_recomputing(
    verifier: "Verifier", job: "Job", sample: int | None, seed: int, item: str | None
) -> dict[str, Any]:
    from etl.verification.confidence import at_most

    lot = verifier.draw(sample, seed, item or "")
    if item == "" or (item is not None and not lot.items):  # none named, all are drawn
        raise UsageError(
            f"there is no clean {job.unit} {item}",
            f"It is dirty, so the next cycle refreshes it; or the job knows no such {job.unit}.",
        )
    wrong: list[Checked] = []
    skipped = 0
    for place, one in enumerate(map(verifier.check, lot.items), 1):
        skipped += one.verdict == "skipped"
        if one.verdict == "wrong":
            wrong.append(one)
        if place % _TELL_EVERY == 0:
            say(f"etl: {place:,} of {len(lot.items):,}, {len(wrong):,} wrong so far")
    checked = len(lot.items) - skipped
    items = [
        {
            "item_key": one.item_key,
            "problem": one.problem,
            "differences": [asdict(difference) for difference in one.differences],
        }
        for one in wrong
    ]
    how = "item" if item is not None else "all" if sample is None else "sample"
    told = _result(how, items) | {"checked": checked, "skipped": skipped}
    told["population"] = lot.population if item is None else None
    if how == "sample" and checked:
        told |= {"seed": seed, "drift_rate": len(wrong) / checked}
        whole = checked == lot.population  # nobody was left to chance
        told["drift_rate_at_most"] = told["drift_rate"] if whole else at_most(len(wrong), checked)
    return told


def _result(how: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "how": how,
        "checked": None,
        "skipped": None,
        "population": None,
        "seed": None,
        "wrong": len(items),
        "drift_rate": None,
        "drift_rate_at_most": None,
        "marked": 0,
        "items": items,
    }


def verdict_text(job: "Job", told: dict[str, Any]) -> str:
    """The wrong items and the verdict, for people."""
    lines: list[str] = []
    for item in told["items"][:_SHOWN]:
        lines.append(printable(f"{job.unit} {item['item_key']} {item['problem']}"))
        lines += [
            printable(f"    {one['column']}: {one['stored']}, should be {one['recomputed']}")
            for one in item["differences"]
        ]
    number = len(told["items"])
    more = f" (the first {_SHOWN} above)" if number > _SHOWN else ""
    verdict = f"{number:,} wrong{more}" if number else "all right"
    lines.append(f"{job.title}: {verdict}{_scope(job, told)}, as of {told['as_of']}")
    if told["drift_rate_at_most"] is not None and told["checked"] < told["population"]:
        lines.append(
            f"with 95 % confidence at most {told['drift_rate_at_most']:.2%} of the "
            f"{told['population']:,} clean {job.unit}s are wrong (--seed {told['seed']})"
        )
    if told["marked"]:
        marked = counted(told["marked"], job.unit)
        lines.append(f"marked {marked} dirty: the next cycle refreshes it")
    return "\n".join(lines)


def _scope(job: "Job", told: dict[str, Any]) -> str:
    if told["checked"] is None:
        return ""
    skipped = f" ({told['skipped']:,} skipped: in use)" if told["skipped"] else ""
    return f" of {counted(told['checked'], job.unit)} recomputed{skipped}"
