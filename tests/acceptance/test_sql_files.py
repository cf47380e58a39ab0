"""Every SQL file runs in psql as it stands: with its variables, in one transaction, undone."""

import os
import re
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from etl import deploy, job
from etl.db import Target, connect
from etl.embedded import EmbeddedServer
from etl.folders import sql_folder
from tests.conftest import Address, Ran, run_program
from tests.support import DAY

SQL = sql_folder()
MOMENT = f"{DAY}T03:00Z"
# What a variable may be, by its name; else 1.
VALUES = {
    "as_of": f"{DAY}", "today": f"{DAY}",
    "now": MOMENT, "started_at": MOMENT, "finished_at": MOMENT,
    "job": "datamart_users", "command": "datamart-users", "kind": "followers", "names": "{}",
    "state": "", "sqlstate": "", "outcome": "failed", "role": "etl_owner", "schema": "etl",
    "relation": "etl.cycle", "verb": "ANALYZE", "statement_timeout": "1s", "lock_timeout": "1s",
    "work_mem": "8MB", "synchronous_commit": "off", "body": "{}", "parameters": "{}", "files": "{}",
    "levels": "[]", "waits": "[]", "queue": "postgres", "stop_reason": "limit", "index": "1",
    "cycle_ids": "{1}", "octaves": "{0}", "means_ms": "{1}", "keys": "{}", "without": "{}",
    "pids": "{1}", "wanted": "{}", "objects": "{}", "columns": "{}", "kinds": "{}", "roles": "{}",
    "privileges": "{}", "rest": "{}", "counter": "", "clear": "false", "refresh": "false",
    "dashboards_only": "false", "stale_only": "false", "topic": "", "cancels_running": "false",
    "is_slow": "false", "max_items": "NULL",
}  # fmt: skip
OF_FILE = {
    "engine/deploy/record_file.sql": {"kind": "procedure"},
    "engine/ledger/update_cycle.sql": {"max_items": "1"},
    "engine/explain/index_text.sql": {
        "wanted": '{"schema": "etl", "relation": "cycle", "keys": ["job"]}'
    },
    "engine/explain/relations.sql": {"names": "[]"},
    "engine/explain/set_probe.sql": {"wanted": "[]"},
    "jobs/cache_warm/mark.sql": {"item_key": "tag:1"},
    "jobs/cache_warm/process.sql": {"item_key": "tag:1"},
    "jobs/fix_invoices/cut.sql": {"kind": "fee"},
    "jobs/fix_invoices/process.sql": {"kind": "fee"},
    "jobs/telemetry/process.sql": {
        "body": '{"match_id": "m", "map": "a", "mode": "b", "started_at": "2026-01-01T00:00Z",'
        ' "ended_at": "2026-01-01T00:10Z", "players": [{"player": "p", "team": 1}], "events": []}'
    },
}
# What comes before it, by the same hand.
BEFORE = {
    "engine/explain/probe.sql": 'SET LOCAL etl.probe = \'{"schema": "etl", "relation": "cycle"}\';',
    "engine/explain/probed_plan.sql": "SET LOCAL etl.probe_plan = '[]';",
    "engine/load_notes/copy.sql": "\\i engine/load_notes/stage.sql",
    "engine/load_notes/merge.sql": "\\i engine/load_notes/stage.sql",
    "engine/queue/undo.sql": "SAVEPOINT item;",
    "scale/process.sql": "\\i scale/refresh_user.sql",
}
# What the server has to have, or to be.
NEEDS = {
    "engine/doctor/checkpoints_15.sql": "PostgreSQL 15 or 16",
    "engine/doctor/checkpoints_17.sql": "PostgreSQL 17 or newer",
    "engine/doctor/bloat_measured.sql": "pgstattuple",
    "engine/explain/create_hypothetical.sql": "hypopg",
    "engine/explain/forget_hypothetical.sql": "hypopg",
    "engine/explain/load_auto_explain.sql": "auto_explain",
    "scale/distribute.sql": "citus",
}
_VARIABLE = re.compile(r"(?<![:\w]):('?)([a-z_][a-z_0-9]*)\1(?![\w(])")
_INSTALLED = ("schema", "procedures", "grants", "roles", "templates")


def files() -> list[str]:
    """All but those that `etl init` applies, and those that `etl new-job` fills in."""
    found = (path.relative_to(SQL) for path in sorted(SQL.rglob("*.sql")))
    return [str(path) for path in found if not set(path.parts) & set(_INSTALLED)]


def psql(dsn: str, text: str) -> Ran:
    """Run this script; the first error ends it."""
    server = EmbeddedServer.of(Path(tempfile.gettempdir()), os.environ)
    options = ("-X", "-q", "-d", dsn, "-v", "ON_ERROR_STOP=1")
    return run_program(server.binary("psql"), *options, input=text, cwd=SQL)


def variables(path: Path) -> set[str]:
    """The psql variables of a file, comments left out."""
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("--")]
    return {name for _, name in _VARIABLE.findall("\n".join(lines))}


@pytest.fixture(scope="module")
def installed(server_address: Address) -> Generator[str]:
    """A database into which psql alone has brought all jobs."""
    dsn = server_address.dsn("every_sql_file")
    jobs = [job.load(path) for path in job.job_paths([SQL / "jobs"])]
    with connect(Target.parse(server_address.dsn()), "tests") as connection:
        connection.execute("CREATE DATABASE every_sql_file")
        with connect(Target.parse(dsn), "tests") as here:
            found = deploy.compare(here, jobs)
        for file in found:
            psql(dsn, f"BEGIN;\n\\i {file.path}\nCOMMIT;\n").ended(0)
        for sample in ("datamart_users", "cache_warm"):
            given = f"\\set scale 20\n\\set as_of {DAY}\nBEGIN;\n"
            psql(dsn, f"{given}\\i jobs/{sample}/sample.sql\nCOMMIT;\n").ended(0)
        yield dsn
        connection.execute("DROP DATABASE every_sql_file (FORCE)")


@pytest.mark.parametrize("name", files())
def test_a_file_runs_in_psql(installed: str, name: str) -> None:
    """With the values above; where a server lacks what it needs, that is what it says."""
    values = {**VALUES, **OF_FILE.get(name, {})}
    given = [f"\\set {key} {quoted(values.get(key, '1'))}" for key in variables(SQL / name)]
    begin, end = ("", "") if "VACUUM" in (SQL / name).read_text() else ("BEGIN;", "ROLLBACK;")
    done = psql(installed, "\n".join([*given, begin, BEFORE.get(name, ""), f"\\i {name}", end, ""]))
    if name not in NEEDS:
        done.ended(0)


def quoted(value: str) -> str:
    """As psql's \\set takes it."""
    return "'" + value.replace("'", "''") + "'"
