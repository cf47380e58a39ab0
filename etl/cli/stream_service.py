"""Runs a service, and what belongs to it; says how it goes and how it ended."""

import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial

from etl import db, deploy, settings
from etl.cli.database import connected, target
from etl.cli.log import log_of
from etl.cli.output import say, tell, to_json
from etl.cli.stream_text import lines, summary
from etl.errors import EtlError, UsageError
from etl.job import Job
from etl.job.shape import Stream
from etl.stream import desk, web
from etl.stream.address import Broker
from etl.stream.record import StreamRecord
from etl.stream.service import Service

_AT_ONCE = 5  # sample messages made by one query; the largest have 20 MB each


@dataclass(frozen=True, slots=True)
class Manner:
    """How a service is run, seen from outside.

    Attributes:
        logs_json: One JSON object a line instead of text.
        is_json: One JSON object in the end.
        serve: Where it answers over HTTP; None: nowhere.
    """

    logs_json: bool
    is_json: bool
    serve: str | None


@dataclass(frozen=True, slots=True)
class Sample:
    """Which messages to publish.

    Attributes:
        rate: So many a second; None: as fast as it goes.
    """

    first: int
    count: int
    rate: float | None
    seed: int


def run_service(
    job: Job, stream: Stream, broker: Broker, dsn: str | None, workers: int, manner: Manner
) -> int:
    """Run it until it is stopped. Returns how the process should end."""
    if stream.prefetch and stream.prefetch < workers:
        say(f"etl: {workers} workers, but only {stream.prefetch} messages are taken at once")
    address = web.parse_address(manner.serve) if manner.serve else None
    job.check()
    database = target(dsn)
    with db.reached(), db.connect(database, f"etl:{job.command}") as connection:
        deploy.require_current(connection, job)
    broker.parameters("")  # a certificate that cannot be read is a mistake, and no outage
    record = StreamRecord(job.name, secrets.token_hex(3), workers)
    log = log_of(job, partial(lines, unit=job.unit), is_json=manner.logs_json)
    service = Service(job, stream, database, broker, record, log)
    if address is not None:
        say(f"etl: answering at {web.serve(service, *address)}/metrics")
    try:
        service.run()
    finally:
        tell(to_json(record.as_dict()) if manner.is_json else summary(job, record))
    return 128 + record.stop_signal if record.stop_signal is not None else 0


def tell_health(
    job: Job, stream: Stream, broker: Broker, dsn: str | None, *, is_json: bool
) -> bool:
    """Print whether all is well. Returns whether it is."""
    problems: list[str] = []
    found: desk.Depths | None = None
    try:
        found = desk.depths(broker, stream)
        if not found.consumers:
            problems.append(f"nobody takes messages from {stream.queue}")
    except EtlError as error:
        problems.append(error.message)
    has_database = True
    try:
        with connected(dsn, "health", job):
            pass
    except EtlError as error:
        has_database = False
        problems.append(error.message)
    if is_json:
        counts = dict.fromkeys(("messages", "waiting", "dead", "consumers")) | (
            asdict(found) if found else {}
        )
        told = {"job": job.name, "is_well": not problems, "broker": found is not None}
        tell(to_json({**told, "database": has_database, **counts, "problems": problems}))
        return not problems
    if found:
        tell(
            f"{stream.queue}: {found.messages:,} messages, {found.waiting:,} wait for their next "
            f"attempt, {found.dead:,} dead; taken by {found.consumers:,}"
        )
    tell("\n".join(f"problem: {problem}" for problem in problems) or "all is well")
    return not problems


def publish(
    job: Job, stream: Stream, broker: Broker, dsn: str | None, sample: Sample, *, is_json: bool
) -> None:
    """Publish messages that are made up, and print how many."""
    begun = time.monotonic()
    published = size = 0
    with connected(dsn, "publish-sample") as connection:
        for length in desk.publish(broker, stream, _messages(connection, job, sample)):
            published += 1
            size += length
            due = begun + published / sample.rate if sample.rate else 0.0
            time.sleep(min(max(0.0, due - time.monotonic()), threading.TIMEOUT_MAX))
    took = time.monotonic() - begun
    if is_json:
        told = {"job": job.name, "published": published, "bytes": size}
        tell(to_json({**told, "duration_s": round(took, 3)}))
    else:
        tell(f"published {published:,} messages, {size / 1e6:,.1f} MB, in {took:,.1f} s")


def _messages(connection: db.Connection, job: Job, sample: Sample) -> Iterator[tuple[str, bytes]]:
    for option, text in job.values.items():
        if not settings.is_number(text):
            raise UsageError(f"--{option} must be a whole number, not {text!a}", "Give a number.")
    last = sample.first + sample.count - 1
    for first in range(sample.first, last + 1, _AT_ONCE):
        which = {"seed": sample.seed, "first": first, "last": min(last, first + _AT_ONCE - 1)}
        for key, body in db.run(connection, job.sample_messages, **which, **job.values):
            yield key, body.encode()
