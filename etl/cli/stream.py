"""The commands of a job whose items are messages: its service, ``health``, ``publish-sample``."""

import os
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from etl import settings
from etl.cli.job_options import add_options, in_scope
from etl.cli.options import Dsn, Json, LogFormat, finite
from etl.cli.output import printable, say
from etl.errors import UsageError
from etl.job import Job
from etl.job.shape import Stream

if TYPE_CHECKING:
    from etl.stream.address import Broker

Amqp = Annotated[
    str | None,
    typer.Option(
        "--amqp",
        metavar="URL",
        help="Message broker to use. Else ETL_AMQP_URL, else the file ETL_AMQP_URL_FILE.",
    ),
]
_MOST_PREFETCH = 65_535  # what the protocol has room for


def named_broker(amqp: str | None) -> "Broker":
    """The broker to use.

    Raises:
        EtlError: Nobody named one that can be used.
    """
    from etl.stream.address import named_broker as named

    broker = named(amqp, os.environ)
    if amqp and broker.has_password:
        say("etl: a password in --amqp can be read in the process list; ETL_AMQP_URL is safer")
    return broker


def stream_commands(job: Job, stream: Stream) -> typer.Typer:
    """The service of a job as a command, with what belongs to it below."""
    commands = typer.Typer()

    @commands.callback(invoke_without_command=True, help=printable(job.summary))
    def service(
        context: typer.Context,
        workers: Annotated[
            int | None,
            typer.Option(
                "--workers",
                min=1,
                max=1000,
                metavar="N",
                help="Worker processes. Else MAX_THREADS (processors) less one.",
            ),
        ] = None,
        prefetch: Annotated[
            int | None,
            typer.Option(
                "--prefetch",
                min=1,
                max=_MOST_PREFETCH,
                metavar="N",
                help="Messages taken and not acknowledged. Else PREFETCH, else "
                + (f"{stream.prefetch}." if stream.prefetch else "one for each worker."),
            ),
        ] = None,
        serve: Annotated[
            str | None,
            typer.Option(
                "--serve",
                metavar="ADDRESS",
                help="Answer /health, /ready and /metrics at HOST:PORT. Else ETL_SERVE.",
            ),
        ] = None,
        log_format: Annotated[
            LogFormat, typer.Option("--log-format", help="Of the lines on standard error.")
        ] = "text",
        json_output: Json = False,
        amqp: Amqp = None,
        dsn: Dsn = None,
    ) -> None:
        if context.invoked_subcommand is not None:
            _refuse_what_is_not_passed_on(context)
            return
        from etl.cli.stream_service import Manner, run_service

        chosen = _with_prefetch(stream, prefetch)
        count = settings.workers(None if workers is None else str(workers), os.environ)[0]
        manner = Manner(log_format == "json", json_output, serve or os.environ.get("ETL_SERVE"))
        raise typer.Exit(run_service(job, chosen, named_broker(amqp), dsn, count, manner))

    _add_health(commands, job, stream)
    if (job.folder / "sample_messages.sql").exists():
        commands.command("publish-sample")(_publish_sample(job, stream))
    return commands


def _refuse_what_is_not_passed_on(context: typer.Context) -> None:
    """Options of the service say nothing to a command below it."""
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if source is not None and source.name == "COMMANDLINE":
            name, below = parameter.opts[0], context.invoked_subcommand
            raise UsageError(f"{name} before {below} is not passed on", f"Give it after {below}.")


def _with_prefetch(stream: Stream, flag: int | None) -> Stream:
    text = os.environ.get("PREFETCH", "")
    given = settings.positive("PREFETCH", text) if text and flag is None else flag
    if given is None:
        return stream
    if given > _MOST_PREFETCH:
        raise UsageError(f"PREFETCH {given} is too many", f"Give {_MOST_PREFETCH:,} at most.")
    return replace(stream, prefetch=given)


def _add_health(commands: typer.Typer, job: Job, stream: Stream) -> None:
    @commands.command("health")
    def health(json_output: Json = False, amqp: Amqp = None, dsn: Dsn = None) -> None:
        """Say whether broker and database answer, and somebody takes the messages.

        Exit 0 if all is well, 1 if not.
        """
        from etl.cli.stream_service import tell_health

        is_well = tell_health(job, stream, named_broker(amqp), dsn, is_json=json_output)
        raise typer.Exit(0 if is_well else 1)


def _publish_sample(job: Job, stream: Stream) -> Callable[..., None]:
    def publish_sample(
        count: Annotated[
            int, typer.Option("--count", min=1, max=settings.LARGEST, help="How many messages.")
        ] = 100,
        rate: Annotated[
            float | None,
            typer.Option(
                "--rate",
                min=0.001,
                max=1_000_000,
                metavar="N",
                callback=finite,
                help="So many a second; else as fast as it goes.",
            ),
        ] = None,
        seed: Annotated[
            int,
            typer.Option(
                "--seed",
                min=0,
                max=settings.LARGEST,
                help="The same seed gives the same messages.",
            ),
        ] = 1,
        first: Annotated[
            int, typer.Option("--first", min=1, max=settings.LARGEST, help="Begin with this one.")
        ] = 1,
        json_output: Json = False,
        amqp: Amqp = None,
        dsn: Dsn = None,
        **own: Any,
    ) -> None:
        """Publish messages that are made up, by the job's sample_messages.sql."""
        from etl.cli.stream_service import Sample, publish

        sample = Sample(first, count, rate, seed)
        broker = named_broker(amqp)
        publish(in_scope(job, None, own), stream, broker, dsn, sample, is_json=json_output)

    add_options(publish_sample, job, verifies=False)
    return publish_sample
