"""Runs a cycle, tells how it goes, and says how the process ends after it."""

import os
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import typer

from etl import db, folders, verification
from etl.cli import verify
from etl.cli.database import target
from etl.cli.detach import tell_begun
from etl.cli.display import Display
from etl.cli.exit_statuses import QUARANTINED, SOME_FAILED, exit_status
from etl.cli.log import log_of
from etl.cli.narrator import Narrator
from etl.cli.output import is_on_terminal, say, tell, to_json
from etl.cli.render import as_object, summary
from etl.cycle import Cycle, CycleOptions
from etl.errors import CycleRunningError, DatabaseUnreachableError, EtlError
from etl.events import BacklogCounted, Emit, Event
from etl.job import Job
from etl.model import CycleRecord

_ASK_AGAIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Manner:
    """How a cycle is run, seen from the terminal.

    Attributes:
        log_format: Log lines also on a terminal: "text" or "json"; None: not on one.
        is_json: One JSON object in the end.
        waits: Where another cycle runs, begin after it.
        verifies: Look for wrong results afterwards.
    """

    log_format: str | None = None
    is_json: bool = False
    waits: bool = False
    verifies: bool = False


def run_cycle(job: Job, dsn: str | None, options: CycleOptions, manner: Manner) -> int:
    """Run one cycle and print how it went. Returns how the process should end."""
    narrator = Narrator(job.unit)
    is_watched = is_on_terminal() and manner.log_format is None
    display: AbstractContextManager[Emit]
    if is_watched:
        display = Display(narrator, shows_levels=job.shows_levels)
    else:
        is_json = manner.log_format == "json"
        display = nullcontext(log_of(job, narrator.lines, is_json=is_json))
    database = target(dsn)

    def emit(event: Event) -> None:
        show(event)
        if isinstance(event, BacklogCounted):
            tell_begun()

    with db.reached():
        with display as show:
            record = _record(job, database, options, emit, manner)
        told = as_object(record)
        text = summary(record, job.title, job.unit, tells_prediction=not is_watched)
        try:
            if manner.verifies and record.stop_signal is None:
                with db.connect(database, f"etl:verify {job.command}") as connection:
                    verdict = verification.by_query(connection, job, options.as_of)
                found = verify.as_object(job, options.as_of, verdict)
                told |= {"wrong": found["wrong"], "wrong_items": found["items"]}
                text += "\n\n" + verify.as_text(job, options.as_of, verdict)
        finally:  # what the cycle did is told, whether it could be verified or not
            tell(to_json(told) if manner.is_json else text)
    status = exit_status(record)
    return SOME_FAILED if told.get("wrong") and status in (0, QUARANTINED) else status


def _record(
    job: Job, database: db.Target, options: CycleOptions, emit: Emit, manner: Manner
) -> CycleRecord:
    """Run a cycle, after the one that runs if that is wanted."""
    while True:
        cycle = Cycle(job, database, folders.state_path(os.environ), options, emit)
        try:
            return cycle.run()
        except CycleRunningError as error:
            if not manner.waits or cycle.record.cycle_id is not None:
                raise
            say(f"etl: waiting: {error.message}")
            time.sleep(_ASK_AGAIN_S)
        except EtlError as error:
            if manner.is_json and cycle.record.cycle_id is not None:
                tell(to_json(as_object(cycle.record)))
            stop_signal = cycle.record.stop_signal
            if isinstance(error, DatabaseUnreachableError) and stop_signal is not None:
                say(f"etl: {error.message}; the next cycle closes the record of this one")
                raise typer.Exit(128 + stop_signal) from None
            raise
