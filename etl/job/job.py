"""A job as an object: its settings, its statements, what its queries are bound to."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path

from etl.errors import UsageError
from etl.job.shape import Batches, HealthLimits, JobOption, Scope, Stream
from etl.settings import milliseconds
from etl.sqlfile import Statement, shipped, single


def _read(job: "Job", name: str, variables: Collection[str]) -> Statement:
    """The statement in a file of a job, which uses no other variables."""
    statement = single(job.folder / name)
    statement.bind(dict.fromkeys([*variables, *job.values]))
    return statement


def _needed(name: str, *variables: str) -> cached_property[Statement]:
    return cached_property(lambda job: _read(job, name, variables))


def _voluntary(name: str, *variables: str) -> cached_property[Statement | None]:
    return cached_property(
        lambda job: _read(job, name, variables) if (job.folder / name).exists() else None
    )


def _verifying(name: str, *variables: str) -> cached_property[Statement]:
    def read(job: "Job") -> Statement:
        path = job.folder / name
        if not path.exists():
            raise UsageError(
                f"{job.command} cannot be verified so: it has no {name}",
                f"Write {path}; docs/verify.md tells what it returns.",
            )
        return _read(job, name, variables)

    return cached_property(read)


@dataclass(frozen=True)
class Job:
    """A job, as its job.toml and its SQL files say.

    Attributes:
        folder: Where it is.
        title: What a person calls it.
        summary: One sentence for ``--help``.
        unit: What one item is, in the singular: "user" makes ``--max-users``.
        max_items: Items a cycle takes unless told otherwise.
        reserved_percent: Share of a cycle for the items that have been dirty longest.
        max_attempts: Failures of an item before it is quarantined.
        keep_attempts_days: After that many days the ledger forgets the attempts of a cycle.
        statement_timeout_s: Of one item's statement, seconds.
        slow_statement_timeout_s: Of the second try of an item that ran into it, seconds, at
            the end of the cycle; there is none where it is not longer than the first.
        lock_timeout_s: Of any lock that the statement waits for, seconds.
        time_limit_s: What a cycle may take, seconds; None: no limit.
        level_names: Name of each priority level.
        freshness_goals: How long an item of a level may be dirty, seconds; of those with a goal.
        health_limits: From when on nothing is claimed, for the server's sake.
        batches: How its key ranges are processed; None: its items are none.
        stream: Where its messages come from; None: its items are none.
        options: Options of its command, which are variables of its queries.
        shows_levels: Whether progress is shown level by level.
        scope: What of it this is about.
    """

    folder: Path
    title: str
    summary: str
    unit: str
    max_items: int
    reserved_percent: int
    max_attempts: int
    keep_attempts_days: int
    statement_timeout_s: float
    slow_statement_timeout_s: float
    lock_timeout_s: float
    time_limit_s: float | None
    level_names: dict[int, str]
    freshness_goals: dict[int, float]
    health_limits: HealthLimits
    batches: Batches | None = None
    stream: Stream | None = None
    options: tuple[JobOption, ...] = ()
    shows_levels: bool = False
    scope: Scope = field(default_factory=Scope)

    @property
    def name(self) -> str:
        """Its name in the database, such as ``datamart_users``."""
        return self.folder.name

    @property
    def command(self) -> str:
        """Its name on the command line, such as ``datamart-users``."""
        return self.name.replace("_", "-")

    def level_name(self, level: int) -> str:
        """The name of a priority level; of an item asked for by name, "requested"."""
        return "requested" if level == 0 else self.level_names.get(level, f"level {level}")

    @cached_property
    def values(self) -> dict[str, str | int]:
        """What its queries, and its statement, get beside what they are about: its scope."""
        given = self.scope.options
        own: dict[str, str | int] = {
            option.name: given.get(option.name, option.text) for option in self.options
        }
        if self.batches is None:
            return own
        keys = {"from_key": self.scope.from_key, "to_key": self.scope.to_key}
        return {**own, **keys, "round": self.scope.round_id, "most": self.batches.most}

    def parameters(self, as_of: date, cycle_id: int | None = None) -> dict[str, str | int | None]:
        """What process.sql gets beside the columns of its item, the same for all of a cycle."""
        return {**self.values, "as_of": as_of.isoformat(), "cycle_id": cycle_id}

    def session_settings(self, statement_timeout_s: float | None = None) -> dict[str, str]:
        """The variables of ``session/set_worker_session``, for a session that runs process.sql.

        Args:
            statement_timeout_s: Else that of the job, seconds.
        """
        timeout_s = self.statement_timeout_s if statement_timeout_s is None else statement_timeout_s
        return {
            "statement_timeout": milliseconds(timeout_s),
            "lock_timeout": milliseconds(self.lock_timeout_s),
            "synchronous_commit": "on" if self.commits_at_once else "off",
        }

    def sized(self, batch_size: int | None) -> "Job":
        """The same with batches of that many keys; None: as it is."""
        if self.batches is None or batch_size is None:
            return self
        return replace(self, batches=replace(self.batches, start=batch_size, most=batch_size))

    @property
    def commits_at_once(self) -> bool:
        """Whether what was told as done is on disk, so that no crash of the server undoes it.

        Of a batch the wait is a small part, and whoever has acknowledged a message gets it no more.
        """
        return self.batches is not None or self.stream is not None

    @property
    def transaction(self) -> list[Statement]:
        """The statements of one item's transaction: process.sql, and where its data have no dirty
        mark, the engine's own that acknowledges the item. For a message that one comes first: it
        fails where the message was done before."""
        if self.stream is not None:
            return [shipped("stream/acknowledge_message"), self.process]
        return [self.process, *([shipped("rounds/acknowledge_range")] if self.batches else [])]

    cut = _needed("cut.sql", "kind", "first_key", "last_key", "size")
    """Tells where a batch of so many keys ends."""

    prioritize = _needed("prioritize.sql", "as_of", "now", "max_items", "reserved_percent")
    """Lists the dirty items in order."""

    backlog = _needed("backlog.sql", "as_of", "now")
    """Counts the dirty items by level."""

    freshness = _voluntary("freshness.sql", "as_of", "now", "without")
    """Tells how long the dirty items have been so, by level; None where the job does not."""

    @cached_property
    def process(self) -> Statement:
        """Processes one item. Its variables may also be columns of the prioritization."""
        return single(self.folder / "process.sql")

    verify = _verifying("verify.sql", "as_of")
    """Lists the wrong items."""

    result = _verifying("result.sql", "item_key", "as_of")
    """Returns the stored result of one item."""

    clean = _verifying("clean.sql", "as_of", "sample", "seed", "item_key")
    """Lists clean items, chosen by lot."""

    mark = _verifying("mark.sql", "item_key")
    """Marks one item dirty."""

    preview = _voluntary("preview.sql", "as_of", "now")
    """Tells what a cycle would change; None where the job does not."""

    demo = _voluntary("demo.sql")
    """Tells what there is of its sample data, and of others; None where it has no demo."""

    summary_of_cycle = _voluntary("summary.sql", "cycle_id")
    """Tells what people want to know of a finished cycle; None where the job does not."""

    sample_messages = _needed("sample_messages.sql", "seed", "first", "last")
    """Makes messages by chance, for a stream."""

    @property
    def has_verify(self) -> bool:
        """Whether it has a query that finds wrong items by other means."""
        return (self.folder / "verify.sql").exists()

    def check(self) -> None:
        """Read the files that a cycle needs, or a stream.

        Raises:
            FileError: One is missing or broken.
        """
        if self.stream is not None:
            _ = self.process
            return
        _ = (self.prioritize, self.backlog, self.process)
        _ = (self.preview, self.summary_of_cycle, self.cut if self.batches else None)
