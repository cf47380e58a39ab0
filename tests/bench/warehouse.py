"""The warehouse with all users: published notes where they are at hand, else sample data."""

import csv
import gzip
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from etl import db
from etl.sqlfile import statements
from tests.bench.server import Server
from tests.bench.size import Size
from tests.conftest import REPOSITORY, shipped_job

SQL = Path(__file__).parent
NAME = "bench_users"
_PUBLISHED_ON = "2026-01-16"


@dataclass(frozen=True)
class Bench:
    """What every bar gets.

    Attributes:
        server: Where to measure.
        size: How much.
        notes: The published notes, or None.
        drained: Each drain of all users by 2 workers so far: users a second while draining,
            and from shell to shell.
    """

    server: Server
    size: Size
    notes: Path | None
    drained: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])

    @cached_property
    def as_of(self) -> str:
        """The day that counts as today for the warehouse with all users."""
        return _PUBLISHED_ON if self.notes else datetime.now(UTC).date().isoformat()

    @cached_property
    def database(self) -> str:
        """The warehouse with all users, numbered from 1 in the order of the prioritization."""
        return self.server.database(NAME, self._fill)

    @cached_property
    def users(self) -> int:
        """How many users it has; they must be numbered from 1 without a gap."""
        query = "SELECT count(*), min(dimension_user_id), max(dimension_user_id)"
        ((users, lowest, highest),) = self.rows(f"{query} FROM dwh.dimension_users")
        if (lowest, highest) != (1, users):
            raise ValueError(f"{users} users are numbered from {lowest} to {highest}")
        return int(users)

    @cached_property
    def source(self) -> str:
        return f"{self.notes.name}" if self.notes else "sample.sql"

    @cached_property
    def csv(self) -> Path:
        """Its notes as a plain CSV file of the published layout, without rejected records."""
        path = self.server.folder / "notes.csv"
        if self.notes is None:
            query = (SQL / "published.sql").read_text().rstrip().rstrip(";")
            copy = f"COPY ({query}) TO STDOUT (FORMAT csv, HEADER)"
            path.write_text(self.server.psql(self.database, "-c", copy))
            return path
        with gzip.open(self.notes, "rt", newline="") as packed, path.open("w", newline="") as plain:
            rows, kept = csv.reader(packed), csv.writer(plain)
            header = next(rows)
            kept.writerow(header)
            kept.writerows(row for row in rows if len(row) == len(header) and row[0].isdigit())
        return path

    def rows(self, query: str, database: str | None = None) -> list[db.Row]:
        """What a query of the warehouse with all users, or of another one, returns."""
        with self.server.connect(database or self.database) as connection:
            return connection.execute(query.encode()).fetchall()

    def deploy(self, database: str) -> None:
        """Bring the benchmark's own jobs into a database."""
        self.server.etl(database, "init", user="etl")

    def refresh(self) -> None:
        """See to it that nobody is dirty."""
        self.server.cycle(self.database, "datamart-users", *self.arguments, "--workers=2")

    def make_dirty(self) -> None:
        """See to it that everybody is, in the same state of tables and log each time."""
        self.server.psql(self.database, "-f", SQL / "make_dirty.sql")

    @property
    def arguments(self) -> tuple[str, ...]:
        """Of a cycle over everybody."""
        return (f"--as-of={self.as_of}", "--max-users=10000000")

    def _fill(self, name: str) -> None:
        server = self.server
        if self.notes is None:
            scale = f"--scale={self.size.users}"
            server.etl(name, "demo", scale, "--max-users=1", user="etl")
        else:
            link = server.folder / self.notes.name  # what it rejects is written beside it
            link.symlink_to(self.notes)
            server.etl(name, "load-notes", link)
        job = shipped_job()
        limits = {"max_items": None, "reserved_percent": 0}
        with server.connect(name) as connection:
            connection.execute("UPDATE dwh.dimension_users SET modified = TRUE")
            listed = db.run(
                connection, job.prioritize, as_of=self.as_of, now=datetime.now(UTC), **limits
            ).fetchall()
            with connection.transaction():
                connection.execute(
                    "CREATE TEMPORARY TABLE place (old integer, new integer) ON COMMIT DROP"
                )
                with connection.cursor().copy("COPY pg_temp.place FROM STDIN") as copy:
                    for new, (old, *_) in enumerate(listed, 1):
                        copy.write_row((old, new))
                for statement in statements(SQL / "renumber.sql"):
                    db.run(connection, statement)
            connection.execute("VACUUM ANALYZE")
        server.cycle(name, "datamart-users", *self.arguments, "--workers=2")


def find_notes() -> Path | None:
    """The published notes: what ETL_TEST_NOTES names, else what lies beside the checkout."""
    named = os.environ.get("ETL_TEST_NOTES")
    if named:
        return Path(named).absolute()
    beside = (REPOSITORY.parent.glob(f"{depth}osm_notes.csv.gz") for depth in ("", "*/", "*/*/"))
    return next((path for found in beside for path in found), None)
