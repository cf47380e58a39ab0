"""``etl verify``: is what is stored what it should be?"""

import json

import typer

from etl.cli.options import AsOf, Dsn, JobName, Json, connected, day, job_named
from etl.cli.output import printable, tell
from etl.errors import UsageError

_SHOWN = 20


def verify(
    job: JobName,
    as_of: AsOf = None,
    json_output: Json = False,
    dsn: Dsn = None,
) -> None:
    """List the clean items whose results are wrong; exit 1 if there are any.

    All of them are computed anew and by other means. Dirty items may be wrong.
    """
    from etl import db, deploy

    found = job_named(job)
    wrong: list[tuple[str, str]] = []
    with connected(dsn, f"verify {found.command}") as connection:
        deploy.require_current(connection, found)
        cursor = db.run(connection, found.verify, as_of=day(as_of))
        if cursor.description is None or len(cursor.description) != 2:
            raise UsageError(
                f"{found.verify.path} must return two columns, item_key and problem",
                "Correct the query.",
            )
        wrong = [(str(key), str(problem)) for key, problem in cursor]
    if json_output:
        items = [{"item_key": key, "problem": problem} for key, problem in wrong]
        tell(json.dumps({"job": found.name, "wrong": len(items), "items": items}))
    else:
        for key, problem in wrong[:_SHOWN]:
            tell(printable(f"{found.unit} {key} {problem}"))
        more = f" (the first {_SHOWN} above)" if len(wrong) > _SHOWN else ""
        verdict = f"{len(wrong):,} wrong{more}" if wrong else "all right"
        tell(f"{found.title}: {verdict}, as of {day(as_of)}")
    raise typer.Exit(1 if wrong else 0)
