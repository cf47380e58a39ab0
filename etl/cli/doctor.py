"""``etl doctor``: what troubles cycles, why it matters, and what mends it."""

import os
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from etl import folders, settings
from etl.cli.database import connected
from etl.cli.jobs import job_folder, job_paths
from etl.cli.options import AnyJob, Dsn, Json
from etl.cli.output import printable, tell, to_json
from etl.cli.words import counted
from etl.errors import EtlError

if TYPE_CHECKING:
    from etl.doctor import Finding, Verdict


def doctor(
    job: AnyJob = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Also list the checks, and what each came to.")
    ] = False,
    json_output: Json = False,
    dsn: Dsn = None,
) -> None:
    """Look the server, the database and this host over; change nothing.

    Each finding says what is so, why it matters, and the command that mends it. Exit status 1
    where there is more than notes, 69 where the database cannot be reached.
    """
    from etl.doctor import THRESHOLDS, Checkup, Severity, host

    looked_at = [job_folder(job)] if job is not None else job_paths()
    state = folders.state_path(os.environ)
    checkup = Checkup(
        looked_at,
        state,
        settings.worker_count(os.environ),
        dict(THRESHOLDS),
        job=looked_at[0].name if job is not None else "",
    )
    verdicts = checkup.of_host()
    refused: EtlError | None = None
    try:
        with connected(dsn, "doctor") as connection:
            verdicts += checkup.of_database(connection)
    except EtlError as error:
        refused = error
        verdicts.append(host.queues(state))
    findings = [(verdict.check, finding) for verdict in verdicts for finding in verdict.findings]
    findings.sort(key=lambda told: told[1].severity)
    if json_output:
        tell(to_json(as_object(verdicts, findings, refused)))
    else:
        tell(_text(verdicts, findings, is_verbose=verbose))
    if refused is not None:
        raise refused
    raise typer.Exit(1 if any(found.severity < Severity.NOTE for _, found in findings) else 0)


def as_object(
    verdicts: "list[Verdict]", findings: "list[tuple[str, Finding]]", refused: EtlError | None
) -> dict[str, Any]:
    """The verdicts as docs/json/doctor.schema.json describes them."""
    return {
        "is_reached": refused is None,
        "problem": None if refused is None else refused.message,
        "checks": [
            {"check": v.check, "is_checked": not v.problem, "findings": len(v.findings)}
            for v in verdicts
        ],
        "findings": [
            asdict(finding) | {"severity": finding.severity.name.lower(), "check": check}
            for check, finding in findings
        ],
    }


def _text(
    verdicts: "list[Verdict]", findings: "list[tuple[str, Finding]]", *, is_verbose: bool
) -> str:
    """The findings, the worst first; where they are asked for, all checks; and the sum."""
    blocks: list[str] = []
    for check, finding in findings:
        head = f"{finding.severity.name.lower()} ({check}): {finding.what}"
        more = [f"    {line}" for line in (finding.why, finding.command) if line]
        blocks.append("\n".join(printable(line) for line in (head, *more)))
    if is_verbose:
        width = max(len(verdict.check) for verdict in verdicts)
        blocks.append("\n".join(printable(f"{v.check:<{width}}  {v.state}") for v in verdicts))
    counts = Counter(finding.severity for _, finding in findings)
    told = ", ".join(counted(number, kind.name.lower()) for kind, number in counts.items())
    return "\n\n".join([*blocks, f"{len(verdicts)} checks: {told or 'all right'}"])
