"""Runs a cycle, tells how it goes, and says how the process ends after it."""

import os

import typer

from etl import db, settings
from etl.cli.display import Display, LogLines
from etl.cli.narrator import Narrator
from etl.cli.options import target
from etl.cli.output import is_on_terminal, say, tell, to_json
from etl.cli.render import as_json, summary
from etl.cycle import Cycle, CycleOptions
from etl.errors import DatabaseUnreachableError, EtlError
from etl.job import Job
from etl.model import CycleRecord

_FAILED, _QUARANTINED = 1, 3


def exit_status(record: CycleRecord) -> int:
    """How a process ends after a cycle with this record."""
    if record.stop_signal is not None:
        return 128 + record.stop_signal
    if record.failed or record.orphaned:
        return _FAILED
    return _QUARANTINED if record.quarantined else 0


def run_cycle(
    job: Job, dsn: str | None, options: CycleOptions, log_format: str | None, is_json: bool
) -> CycleRecord:
    """Run one cycle and print how it went."""
    narrator = Narrator(job.unit)
    display: Display | LogLines
    if is_on_terminal() and log_format is None:
        display = Display(narrator, shows_levels=job.shows_levels)
    else:
        display = LogLines(job, narrator, is_json=log_format == "json")
    state = settings.state_path(os.environ)
    database = target(dsn)
    cycle = Cycle(job, database, state, options, display)
    with display, db.reached():
        try:
            record = cycle.run()
        except EtlError as error:
            if is_json and cycle.record.cycle_id is not None:
                tell(to_json(as_json(cycle.record)))
            stop_signal = cycle.record.stop_signal
            if isinstance(error, DatabaseUnreachableError) and stop_signal is not None:
                say(f"etl: {error.message}; the next cycle closes the record of this one")
                raise typer.Exit(128 + stop_signal) from None
            raise
    if is_json:
        tell(to_json(as_json(record)))
    else:
        tell(summary(record, job.title, job.unit))
    return record
