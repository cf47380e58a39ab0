"""``etl psql``: a job's SQL file in psql, as a person would run it by hand."""

import os
import re
import shutil
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etl.cli.database import embedded_server, target
from etl.cli.jobs import job_named
from etl.cli.options import Dsn, JobName
from etl.errors import UsageError
from etl.job import Job

if TYPE_CHECKING:
    from etl.sqlfile import Statement

_SETTING = re.compile(r"([A-Za-z_]\w*)=(.*)\Z", re.ASCII | re.DOTALL)
# What may stand in SQL without quotes and is never more than one value.
_BARE = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?\Z|(?:NULL|TRUE|FALSE)\Z", re.ASCII | re.IGNORECASE)


def psql(
    job: JobName,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="Of its folder, such as prioritize.sql.")
    ],
    variables: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[VAR=VALUE]...",
            help="Variables of the file, such as max_items=10. Not given, as_of is today (UTC), "
            "now is now, max_items and reserved_percent are the job's.",
        ),
    ] = None,
    single_transaction: Annotated[
        bool, typer.Option("--single-transaction", "-1", help="All of the file or nothing.")
    ] = False,
    dsn: Dsn = None,
) -> None:
    """Run an SQL file of a job in psql, which stops at the first error.

    The exit status is psql's: 0 all right, 1 psql itself failed, 2 no connection, 3 an error in
    the file. A value can be any text; where the file says :name without quotes, psql
    pastes it, and it must be a number, NULL, TRUE or FALSE.
    """
    from etl import sqlfile

    found = job_named(job, may_be_stream=True)
    path = _path(found, file)
    values = _values(found, list(sqlfile.statements(path)), _read(variables or []), path)
    program, environment, database = _connection(dsn)
    environment.setdefault("PGAPPNAME", f"etl:psql {found.command}")
    arguments = [str(program), "-X", "--set=ON_ERROR_STOP=1", f"--dbname={database}"]
    arguments += [f"--set={name}={value}" for name, value in values.items()]
    arguments += ["--single-transaction"] if single_transaction else []
    os.execve(program, [*arguments, f"--file={path}"], environment)  # noqa: S606


def _path(job: Job, file: str) -> Path:
    names = sorted(path.relative_to(job.folder).as_posix() for path in job.folder.rglob("*.sql"))
    wanted = file if file.endswith(".sql") else f"{file}.sql"
    if wanted not in names:
        raise UsageError(f"{job.command} has no file {file}", f"It has: {', '.join(names)}.")
    return job.folder / wanted


def _read(variables: Iterable[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for text in variables:
        match = _SETTING.match(text)
        if match is None:
            raise UsageError(f"{text!a} is no variable", "Write NAME=VALUE, such as max_items=10.")
        given[match[1]] = match[2]
    return given


def _values(
    job: Job, statements: "list[Statement]", given: Mapping[str, str], path: Path
) -> dict[str, str]:
    """The value of each variable of a file.

    Raises:
        UsageError: One is missing, or is none of the file's, or would become SQL.
    """
    names = {name for statement in statements for name in statement.names}
    now = datetime.now(UTC)
    defaults = {
        **{name: str(value) for name, value in job.values.items()},
        "as_of": f"{now:%F}",
        "now": now.isoformat(),
        "max_items": str(job.max_items),
        "reserved_percent": str(job.reserved_percent),
    }
    for name in given:
        if name not in names and name not in defaults:
            has = ", ".join(sorted(names)) or "none"
            raise UsageError(f"{path} has no variable {name}", f"Its variables: {has}.")
    known = {**defaults, **given}
    missing = sorted(names - known.keys())
    if missing:
        more = " ".join(f"{name}=…" for name in missing)
        raise UsageError(f"{path} needs a value of {', '.join(missing)}", f"Add {more}")
    values = {name: known[name] for name in sorted(names)}
    for name in {name for statement in statements for name in statement.pasted}:
        if not _BARE.match(values[name]):
            raise UsageError(
                f"{name} must be a number, NULL, TRUE or FALSE, not {values[name]!a}",
                f"psql pastes it into {path} as it is; write :'{name}' there to take any text.",
            )
    return values


def _connection(dsn: str | None) -> tuple[Path, dict[str, str], str]:
    """Which psql, in which environment, with which connection string.

    What libpq also reads from the environment goes there: other users of the machine can read
    arguments, but not that.
    """
    from psycopg.conninfo import conninfo_to_dict, make_conninfo
    from psycopg.pq import Conninfo

    from etl import db

    database = target(dsn)
    is_named = db.named_target(dsn, os.environ) is not None
    program = _program(is_named=is_named)
    environment = dict(os.environ)
    variables = {
        option.keyword.decode(): option.envvar.decode()
        for option in Conninfo.get_defaults()
        if option.envvar
    }
    rest: dict[str, str] = {}
    for keyword, value in conninfo_to_dict(database.dsn).items():
        if keyword in variables:
            environment[variables[keyword]] = str(value)
        else:
            rest[keyword] = str(value)
    return program, environment, make_conninfo(**rest)


def _program(*, is_named: bool) -> Path:
    """The psql to run: that of ``ETL_PG_BIN``; for another server the system's, which may know
    more ways to connect (TLS, Kerberos) than the embedded one."""
    on_path = shutil.which("psql") if is_named and not os.environ.get("ETL_PG_BIN") else None
    return Path(on_path) if on_path else embedded_server().binary("psql")
