"""``etl doctor``: what troubles cycles, why it matters, and what mends it."""

import os
from collections import Counter
from typing import TYPE_CHECKING, Any

import typer

from etl import settings
from etl.cli.options import AnyJob, Dsn, Json, job_named, job_paths, target
from etl.cli.output import printable, tell, to_json

if TYPE_CHECKING:
    from etl.doctor import Finding


def doctor(job: AnyJob = None, json_output: Json = False, dsn: Dsn = None) -> None:
    """Look the server, the database and this host over; change nothing.

    Each finding says what is so, why it matters, and the command that mends it. Exit status 1
    where there is more than notes, 69 where the database cannot be reached.
    """
    from etl import db
    from etl.doctor import CHECKS, Checkup, Severity
    from etl.doctor.checkup import THRESHOLDS
    from etl.errors import EtlError

    folders = [job_named(job).folder] if job is not None else job_paths()
    checkup = Checkup(
        folders,
        settings.state_path(os.environ),
        settings.worker_count(os.environ),
        dict(THRESHOLDS),
    )
    findings = list(checkup.of_host())
    refused: EtlError | None = None
    try:
        with db.reached(), db.connect(target(dsn), "etl:doctor") as connection:
            findings += checkup.of_database(connection)
    except EtlError as error:
        refused = error
    findings.sort(key=lambda finding: finding.severity)
    if json_output:
        tell(to_json(as_object(findings, None if refused is None else refused.message)))
    else:
        for finding in findings:
            tell(_text(finding))
        counts = Counter(finding.severity for finding in findings)
        told = [f"{counts[kind]} {kind.name.lower()}s" for kind in Severity if counts[kind]]
        checks = len(CHECKS) + 2 if refused is None else 2
        tell(f"{checks} checks: {', '.join(told) or 'all right'}")
    if refused is not None:
        raise refused
    raise typer.Exit(1 if any(f.severity < Severity.NOTE for f in findings) else 0)


def as_object(findings: "list[Finding]", refused: str | None) -> dict[str, Any]:
    """The findings as docs/json/doctor.schema.json describes them."""
    return {
        "is_reached": refused is None,
        "findings": [
            {
                "severity": finding.severity.name.lower(),
                "check": finding.check,
                "what": finding.what,
                "why": finding.why,
                "command": finding.command,
            }
            for finding in findings
        ],
    }


def _text(finding: "Finding") -> str:
    lines = [f"{finding.severity.name.lower()} ({finding.check}): {printable(finding.what)}"]
    lines += [f"    {printable(line)}" for line in (finding.why, finding.command) if line]
    return "\n".join(lines) + "\n"
