"""Makes the folder of a new job: SQL that runs as it is, for a person to go on with.

The templates are SQL files that run as they are too. A few words in them stand for names,
and are replaced when they are copied; there is no other notation in them.
"""

import re
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from etl import deploy, job
from etl.errors import FileError, UsageError
from etl.folders import sql_folder
from etl.job.file import OPTIONS
from etl.scaffold import names

_JOB_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}\Z")  # leaves room for the names of its triggers
_NOT_FOR_JOBS = ("etl", "public", "information_schema")
_STAND_IN = re.compile("job_schema|job_name|job_title|source_table|source_key|unit_name")
_LINTER_ONLY = re.compile(r" *-- noqa.*")
_SAMPLE_ONLY = ("schema/0000_sample.sql", "grants/sample.sql")


@dataclass(frozen=True, slots=True)
class Source:
    """The table whose rows a job works on.

    Attributes:
        table: As SQL, schema and name.
        key: As SQL, the column that says which item a row belongs to.
        is_sample: Whether the job makes the table itself, with a few rows to try it on.
    """

    table: str
    key: str
    is_sample: bool = False

    @classmethod
    def named(cls, table: str | None, key: str | None, name: str) -> "Source":
        """The table that the user named; where none is named, a sample.

        Args:
            table: Schema and table, written as in SQL.
            key: A column of it, written as in SQL.
            name: The job, whose schema a sample is in.

        Raises:
            UsageError: One is no name, or is missing where the other is given.
        """
        if table is None and key is None:
            return cls(f"{names.quoted(name)}.sample", "item_id", is_sample=True)
        if table is None or key is None:
            raise UsageError(
                "--table and --key go together",
                "Say which table, and which of its columns says what a row belongs to.",
            )
        return cls(names.table(table), names.column(key))


def job_name(text: str, taken: Collection[str]) -> str:
    """The name of a job in the database, from how it is called on the command line.

    Args:
        text: With underscores or hyphens.
        taken: The commands that exist.

    Raises:
        UsageError: It is no name of a job, or there is a command of this name.
    """
    name = text.replace("-", "_")
    if not _JOB_NAME.match(name) or name in _NOT_FOR_JOBS or name.startswith("pg_"):
        raise UsageError(
            f"{text!a} is no name for a job",
            "Small letters, digits and underscores, 48 at most, a letter first; "
            f"not {', '.join(_NOT_FOR_JOBS)}, and nothing that begins with pg_.",
        )
    if name.replace("_", "-") in taken:
        raise UsageError(
            f"there is an 'etl {name.replace('_', '-')}' already", "Take another name."
        )
    return name


def make(parent: Path, name: str, source: Source, unit: str) -> list[Path]:
    """Write the folder of a job, and read it as a cycle would.

    Args:
        parent: The folder of jobs that it comes into; made where it is missing.
        name: As ``job_name`` returns it.
        source: What it works on.
        unit: What one item is, in the singular.

    Returns:
        Its files.

    Raises:
        UsageError: The unit is no word, or the name of an option that every job has.
        FileError: There is something of this name already, or it cannot be written.
    """
    if not _JOB_NAME.match(unit) or unit in OPTIONS:
        raise UsageError(
            f"--unit must be one word in small letters, not {unit!a}",
            f"What one item is, such as customer; not {', '.join(sorted(OPTIONS))}.",
        )
    words = {
        "job_schema": names.quoted(name),
        "job_name": name,
        "job_title": name.replace("_", " ").capitalize(),
        "source_table": source.table,
        "source_key": source.key,
        "unit_name": unit,
    }
    folder = parent / name
    try:
        parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        folder.mkdir(mode=0o755)
    except FileExistsError:
        raise FileError(
            folder, None, "exists already", "Nothing was written. Take another name or --dir."
        ) from None
    except OSError as error:
        raise FileError(folder, None, str(error.strerror), "Say where by --dir.") from error
    try:
        written = _copy(sql_folder() / "templates" / "job", folder, words, source)
        made = job.load(folder)
        made.check()
        deploy.check_files(made)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise FileError(folder, None, str(error.strerror), "Nothing was written.") from error
        raise
    return written


def _copy(templates: Path, folder: Path, words: dict[str, str], source: Source) -> list[Path]:
    """Copy the templates, each word that stands for a name replaced. Returns the copies."""
    written: list[Path] = []
    for template in sorted(path for path in templates.rglob("*") if path.is_file()):
        name = template.relative_to(templates)
        if name.as_posix() in _SAMPLE_ONLY and not source.is_sample:
            continue
        text = _LINTER_ONLY.sub("", template.read_text(encoding="utf-8"))
        path = folder / name
        path.parent.mkdir(mode=0o755, exist_ok=True)
        path.write_text(_STAND_IN.sub(lambda found: words[found[0]], text), encoding="utf-8")
        path.chmod(0o644)
        written.append(path)
    return written
