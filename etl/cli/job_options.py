"""The options that only some jobs' commands have: their own, and those of key ranges."""

import inspect
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, Literal

import typer

from etl import settings
from etl.errors import UsageError
from etl.job import Job
from etl.job.shape import FIRST, LAST, JobOption, Scope

_BATCH_SIZE = typer.Option(
    "--batch-size",
    min=1,
    max=settings.LARGEST,
    help="So many keys in each batch. Else BATCH_SIZE, else as long as a batch should take.",
)
_FROM = typer.Option("--from", metavar="KEY", help="From this key on.")
_TO = typer.Option("--to", metavar="KEY", help="Up to this key.")
_AGAIN = typer.Option(
    "--again", help="Begin with all keys, whatever the last cycle has left of its round."
)
_VERIFY = typer.Option(
    "--verify", help="Look for wrong results afterwards; exit 1 if there are any. Else VERIFY."
)
_OF_RANGES: tuple[tuple[str, Any, Any], ...] = (
    ("batch_size", Annotated[int | None, _BATCH_SIZE], None),
    ("from_key", Annotated[int | None, _FROM], None),
    ("to_key", Annotated[int | None, _TO], None),
    ("again", Annotated[bool, _AGAIN], False),
)


def add_options(command: Callable[..., None], job: Job, *, verifies: bool = True) -> None:
    """Give a command the options of its job, which it takes as ``**own``.

    Args:
        command: Its function.
        job: The job.
        verifies: Whether it can look for wrong results afterwards.
    """
    known = list(inspect.signature(command).parameters.values())[:-1]
    more = [(option.name, *_of(option)) for option in job.options]
    if job.has_verify and verifies:
        more.append(("verify", Annotated[bool, _VERIFY], False))
    if job.batches is not None:
        more += _OF_RANGES
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, kind, default in more
    ]
    command.__signature__ = inspect.Signature([*known, *added])  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in (*known, *added)}


def _of(option: JobOption) -> tuple[Any, Any]:
    told = typer.Option(option.flag, help=option.help)
    if option.is_flag:
        return Annotated[bool, told], False
    kind: Any = Literal[option.choices] if option.choices else str
    return Annotated[kind | None, told], None


def in_scope(job: Job, only: str | None, own: dict[str, Any]) -> Job:
    """The job, about what somebody asked for.

    Args:
        job: The job.
        only: The key of a single item, if that is wanted.
        own: Values of the options that ``add_options`` added.

    Raises:
        UsageError: They contradict each other, or make no sense.
    """
    options = {
        option.name: "true" if option.is_flag else str(own[option.name])
        for option in job.options
        if own[option.name] not in (None, False)
    }
    if job.batches is None:
        return replace(job, scope=Scope(options))
    first, last = own["from_key"], own["to_key"]
    if only is not None:
        if first is not None or last is not None:
            raise UsageError(f"--{job.unit} and --from or --to exclude each other", "Give one.")
        first = last = _key(job, only)
    scope = Scope(options, FIRST if first is None else first, LAST if last is None else last)
    if not FIRST <= scope.from_key <= LAST or not FIRST <= scope.to_key <= LAST:
        raise UsageError("--from or --to is no bigint", f"Keys are from {FIRST} to {LAST}.")
    if scope.from_key > scope.to_key:
        raise UsageError("--from is behind --to", "Exchange them.")
    return replace(job.sized(batch_size(own)), scope=scope)


def batch_size(own: dict[str, Any]) -> int | None:
    """Keys of every batch: ``--batch-size``, else ``BATCH_SIZE``; None: as the job says."""
    given: int | None = own.get("batch_size")
    text = os.environ.get("BATCH_SIZE", "") if "batch_size" in own and given is None else ""
    return settings.positive("BATCH_SIZE", text) if text else given


def _key(job: Job, text: str) -> int:
    try:
        key = int(text)
    except ValueError:
        key = LAST + 1
    if not FIRST <= key <= LAST:
        raise UsageError(f"{text!a} is no {job.unit} key", "It is a whole number.")
    return key
