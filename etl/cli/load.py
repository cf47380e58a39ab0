"""``etl load-notes``: published notes into the star schema."""

import stat
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etl.cli.database import connected
from etl.cli.options import Dsn, Json
from etl.cli.output import tell, to_json
from etl.errors import InputError

if TYPE_CHECKING:
    from etl.notes import LoadReport


def load_notes(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE…", help="CSV files, plain or .gz; - for standard input."),
    ],
    max_rejects: Annotated[
        str,
        typer.Option("--max-rejects", metavar="N|P%", help="Rejected records a file may have."),
    ] = "1%",
    json_output: Json = False,
    dsn: Dsn = None,
) -> None:
    """Load published notes; loading a file again changes nothing.

    Each file is loaded whole or not at all. Rejected records go to FILE.rejects.csv with line
    and reason.
    """
    from etl.notes import RejectLimit
    from etl.notes import load_notes as load

    limit = RejectLimit.parse(max_rejects)
    for file in files:
        _check(file)
    with connected(dsn, "load-notes") as connection:
        for file in files:
            report = load(connection, None if str(file) == "-" else file, limit)
            if json_output:
                tell(to_json({**asdict(report), "new_facts": report.new_facts}))
            else:
                tell(_told(report))


def _check(file: Path) -> None:
    """Say of a file that cannot be loaded before any other one is."""
    try:
        if str(file) != "-" and stat.S_ISDIR(file.stat().st_mode):
            raise InputError(f"{file} is a folder", "Nothing was loaded.")
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}", "Nothing was loaded.") from error


def _told(report: "LoadReport") -> str:
    rejected = (
        f", {report.rejected:,} rejected (see {report.rejects_file})" if report.rejected else ""
    )
    return "\n".join(
        [
            f"{report.file}: {report.records:,} records in {report.duration_s:.1f} s",
            f"  notes          {report.notes:>10,}{rejected}",
            f"  new facts      {report.new_facts:>10,}  ({report.new_opened:,} opened, "
            f"{report.new_closed:,} closed; {report.new_anonymous:,} without a user)",
            f"  users          {report.users:>10,}  ({report.new_users:,} new)",
            f"  users dirtied  {report.users_dirtied:>10,}",
        ]
    )
