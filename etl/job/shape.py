"""The parts of a job.toml that are more than one value."""

from dataclasses import dataclass, field

FIRST, LAST = 1 - 2**63, 2**63 - 2
"""The smallest and the largest key that a range may have: those of a bigint have neighbours."""


@dataclass(frozen=True, slots=True)
class HealthLimits:
    """From when on a job's cycles claim nothing; 0: this signal does not matter.

    Attributes:
        replication_lag_s: A replica is behind by more, seconds.
        waiting_sessions: So many sessions have waited for locks for some seconds.
        wraparound_vacuum: Whether a vacuum that prevents wraparound goes before.
        wal_mb_per_s: More WAL is written, megabytes a second.
        load_per_processor: The load average of this host is higher, for each processor.
    """

    replication_lag_s: float
    waiting_sessions: int
    wraparound_vacuum: bool
    wal_mb_per_s: float
    load_per_processor: float


@dataclass(frozen=True, slots=True)
class Batches:
    """How the key ranges that are a job's items are processed: in batches, each a transaction.

    Attributes:
        start: Keys of a worker's first batch.
        most: Keys of the largest; a range that is listed has at most so many.
        target_s: What a batch should take, seconds.
        growth: A batch has at most so many times the keys of the one before.
    """

    start: int
    most: int
    target_s: float
    growth: float


@dataclass(frozen=True, slots=True)
class Stream:
    """The queue of a message broker whose messages are a job's items.

    Attributes:
        queue: Its name.
        type: quorum or classic.
        prefetch: Messages taken and not acknowledged; 0: one for each worker.
        attempts: Then a message is dead.
        back_off_s: Before the second attempt, seconds; then four times as long each time.
        longest_back_off_s: But no longer than that, seconds.
        keep_ids_days: So long a message that comes again is known to be done.
    """

    queue: str
    type: str
    prefetch: int
    attempts: int
    back_off_s: float
    longest_back_off_s: float
    keep_ids_days: int


@dataclass(frozen=True, slots=True)
class JobOption:
    """An option of a job's command, and a variable of its queries.

    Attributes:
        name: As a variable, such as ``stale_only``.
        help: One sentence.
        choices: What it may be; empty: any text.
        default: A text; or False, where it is a flag.
    """

    name: str
    help: str
    choices: tuple[str, ...]
    default: str | bool

    @property
    def is_flag(self) -> bool:
        """Whether it is given without a value."""
        return not isinstance(self.default, str)

    @property
    def text(self) -> str:
        """What its variable is where nobody gives the option."""
        return self.default if isinstance(self.default, str) else "false"

    @property
    def flag(self) -> str:
        """On the command line, such as ``--stale-only``."""
        return f"--{self.name.replace('_', '-')}"


@dataclass(frozen=True, slots=True)
class Scope:
    """What of a job a cycle is about: all of it, unless somebody said otherwise.

    Attributes:
        options: Values of the job's own options, by name.
        from_key: Of a job with key ranges: the first key.
        to_key: And the last one.
        round_id: The round it belongs to; 0: none has begun.
    """

    options: dict[str, str] = field(default_factory=dict[str, str])
    from_key: int = FIRST
    to_key: int = LAST
    round_id: int = 0

    @property
    def only_key(self) -> int | None:
        """The one key that somebody asked for; None: it is about more."""
        return self.from_key if self.from_key == self.to_key else None
