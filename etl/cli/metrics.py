"""``etl metrics``: what a monitoring system wants to know."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etl import settings
from etl.cli.database import target
from etl.cli.jobs import job_named, job_names, jobs_with_cycles
from etl.cli.options import Dsn
from etl.cli.output import say, tell
from etl.errors import SchemaError, UsageError

if TYPE_CHECKING:
    from etl.metrics.reading import Reading

_LOCAL = "127.0.0.1"


def metrics(
    jobs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[JOB]…",
            help="Such as datamart-users; without any, all jobs.",
            autocompletion=job_names,
        ),
    ] = None,
    textfile: Annotated[
        Path | None,
        typer.Option(
            "--textfile", metavar="PATH", help="Replace this file, for node_exporter; NAME.prom."
        ),
    ] = None,
    serve: Annotated[
        int | None,
        typer.Option(
            "--serve", min=0, max=65535, metavar="PORT", help="Answer scrapes until stopped."
        ),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option("--address", metavar="HOST", help=f"Where --serve listens; {_LOCAL}."),
    ] = None,
    timeout: Annotated[
        str, typer.Option("--timeout", metavar="DURATION", help="What a reading may take.")
    ] = "8s",
    dsn: Dsn = None,
) -> None:
    """Print counters, backlog, ages and durations in the format of Prometheus.

    To standard output, into a file that node_exporter reads, or over HTTP. What is not known is
    left out. Exit 1 if a part could not be read in time.
    """
    from etl.metrics import textfile as files
    from etl.metrics.reading import read

    timeout_s = settings.duration_s("--timeout", timeout)
    if textfile is not None and serve is not None:
        raise UsageError("--textfile and --serve exclude each other", "Give one of them.")
    if address is not None and serve is None:
        raise UsageError("--address says where --serve listens", "Give --serve PORT too.")
    named = {job.name: job for job in map(job_named, jobs or ())}
    found = list(named.values()) if jobs else jobs_with_cycles()
    if textfile is not None:
        textfile = files.check(textfile)
    database = target(dsn)

    def ask() -> "Reading":
        return read(database, found, timeout_s, may_be_elsewhere=not jobs)

    if serve is not None:
        _serve(ask, address or _LOCAL, serve)
    else:
        _tell_once(ask(), textfile)


def _tell_once(reading: "Reading", path: Path | None) -> None:
    from etl.metrics import textfile

    content = reading.samples.exposition()
    if path is None:
        tell(content.decode(), end="")
    else:
        textfile.write(path, content)
    if reading.error is not None:
        raise reading.error
    if not reading.is_deployed:
        raise SchemaError("the database has no schema of etl yet", "Run 'etl init' on it.")
    for problem in reading.problems:
        say(f"etl: {problem}")
    raise typer.Exit(1 if reading.problems else 0)


def _serve(ask: "Callable[[], Reading]", address: str, port: int) -> None:
    from etl.metrics import server

    collector = server.LedgerCollector(ask, lambda problem: say(f"etl: {problem}"))
    listening, thread = server.start(collector, address, port)
    host = f"[{address}]" if ":" in address else address
    say(f"etl: serving metrics at http://{host}:{listening}/metrics")
    thread.join()  # until a signal ends the process
