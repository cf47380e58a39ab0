"""What will go wrong, and when: all of it is drawn before anything runs, from one seed."""

import random
import signal
from dataclasses import dataclass
from enum import StrEnum

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_TIMES = (1, 2, 5)


class Kind(StrEnum):
    """A kind of fault."""

    KILL_WORKER = "SIGKILL of a worker"
    KILL_SUPERVISOR = "SIGKILL of the supervisor"
    KILL_ALL = "SIGKILL of all at once"
    SIGNAL = "TERM, INT, HUP: once, twice, five times"
    TERMINATE_WORKER = "pg_terminate_backend of a worker"
    TERMINATE_SUPERVISOR = "pg_terminate_backend of the supervisor"
    CANCEL_WORKER = "pg_cancel_backend of a worker"
    KILL_BACKEND = "SIGKILL of a server process"
    RESTART_FAST = "server restart, fast"
    RESTART_IMMEDIATE = "server restart, immediate"
    CUT = "connections cut by the proxy"
    LOAD = "a loader commits new facts"
    MARK = "a DBA marks users by UPDATE"
    ROLL_BACK = "a loader rolls back"


LOADER = frozenset({Kind.LOAD, Kind.MARK, Kind.ROLL_BACK})
CRASHES = frozenset({Kind.KILL_BACKEND, Kind.RESTART_IMMEDIATE})
"""The server forgets its last asynchronous commits."""

OUTAGES = frozenset({*CRASHES, Kind.RESTART_FAST})
COSTLY = frozenset(
    {Kind.KILL_WORKER, Kind.TERMINATE_WORKER, Kind.CANCEL_WORKER, Kind.KILL_BACKEND, Kind.CUT}
)
"""They may cost an item in hand an attempt."""

DEADLY = frozenset({Kind.KILL_SUPERVISOR, Kind.KILL_ALL})
"""They end the cycle without a word."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        kind: What.
        after: It happens when so many further items have been claimed.
        which: Picks one of several workers, server processes, ways to close a connection.
        signal_number: Of a signal.
        times: How often the signal is sent.
        hold: A loader keeps its transaction open until so many further items are claimed.
    """

    kind: Kind
    after: int
    which: int
    signal_number: signal.Signals
    times: int
    hold: int


def draw(seed: int, faults: int, mean: int) -> list[Fault]:
    """Draw a plan.

    Args:
        seed: The same seed, the same plan.
        faults: How many.
        mean: Items claimed between two faults, on the average.
    """
    random_numbers = random.Random(seed)  # noqa: S311 nothing secret
    kinds: list[Kind] = []
    while len(kinds) < faults:  # each kind once before any comes again
        kinds += random_numbers.sample(list(Kind), len(Kind))
    return [
        Fault(
            kind=kind,
            after=random_numbers.randint(1, 2 * mean - 1),
            which=random_numbers.randrange(1000),
            signal_number=random_numbers.choice(_SIGNALS),
            times=random_numbers.choice(_TIMES),
            hold=random_numbers.randint(1, 20),
        )
        for kind in kinds[:faults]
    ]
