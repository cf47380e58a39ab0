"""Keeps what a database of this version is like: ``python -m tests.upgrade``, once at each release.

It writes ``VERSION.sql.gz`` beside this file: a dump of sample data after a cycle of each job, with
dirty items, held ones and the ledger. test_upgrade.py restores the dumps of all versions. A dump
made by PostgreSQL 15 can be restored on all later ones: ``ETL_PG_BIN=/usr/lib/postgresql/15/bin``.
"""

import gzip
import os
import subprocess
import sys
from pathlib import Path

from etl import __version__
from etl.db import Target, connect
from etl.embedded import EmbeddedServer
from tests.states import state_folder

FOLDER = Path(__file__).parent
_CYCLES = (
    ("datamart-users", "--scale=40", "--max-users=10"),
    ("counter-caches", "--scale=40"),
    ("fix-invoices", "--scale=40"),
    ("cache-warm", "--scale=10"),
)
_FAIL_SOME = """
CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'not these' USING ERRCODE = 'data_exception'; END $$;
CREATE TRIGGER fail BEFORE INSERT OR UPDATE ON dwh.datamart_users FOR EACH ROW
WHEN (NEW.dimension_user_id % 3 = 0) EXECUTE FUNCTION public.fail();
"""
_FAIL_NO_MORE = "DROP FUNCTION public.fail CASCADE"


def main() -> None:
    """Make the database, and write it down."""
    with state_folder() as state:
        server = EmbeddedServer.of(state, os.environ)
        server.start()
        environment = {**os.environ, "ETL_STATE_DIR": str(state), "ETL_DSN": server.target.dsn}
        run = [sys.executable, "-m", "etl"]
        subprocess.run([*run, "init", "--with-roles"], check=True, env=environment)
        for job, *options in _CYCLES:
            subprocess.run([*run, "demo", job, *options], check=True, env=environment)
        _execute(server.target, _FAIL_SOME)
        again = [*run, "datamart-users", "--max-users=10"]
        subprocess.run(again, check=False, env=environment)  # ends with 1: some failed
        _execute(server.target, _FAIL_NO_MORE)
        dump = [str(server.binary("pg_dump")), f"--dbname={server.target.dsn}"]
        text = subprocess.run(dump, check=True, capture_output=True).stdout
    (FOLDER / f"{__version__}.sql.gz").write_bytes(gzip.compress(text, 9, mtime=0))


def _execute(target: Target, statements: str) -> None:
    with connect(target, "tests") as connection:
        for statement in statements.split(";\n"):
            connection.execute(statement.encode())


if __name__ == "__main__":
    main()
