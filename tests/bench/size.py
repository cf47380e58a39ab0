"""How large everything is that the bars measure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """The sizes of one run."""

    users: int = 63_887  # of the sample warehouse; 63,887 is what the published notes have
    rounds: int = 5  # how often each side is measured; the median counts
    nothing_items: int = 100_000  # of the job that does nothing, for its drain
    shell_users: int = 300  # that the shell way refreshes in a round
    listed_users: int = 100_000  # dirty users of the prioritization
    few_facts: int = 1_000_000  # facts of the small warehouse they are listed from
    many_facts: int = 10_000_000  # facts of the large one
    short_queue: int = 1_000  # items of a short queue
    long_queue: int = 10_000_000  # items of a long one
    claims: int = 100_000  # claims that are timed together
    makespan_s: float = 20.0  # work of each worker in the drain of items of unlike cost, seconds
    few_items: int = 1_000  # items of the cycle with which memory use is compared
    many_items: int = 1_000_000  # items of the cycle whose memory use counts
    nights: int = 365  # of the simulated year
    night_users: int = 5_000  # users of its warehouse
    cache_entries: int = 1_000_000  # entries that dashboards are computed from
    cache_wait_s: float = 0.1  # what a dashboard takes that waits, seconds
    cache_reads: int = 50_000  # payloads that a reader fetches in a round
    counter_users: int = 1_091_000  # of the social network whose counters are stale
    few_invoices: int = 100_000  # of the repair with which memory use is compared
    many_invoices: int = 10_000_000  # of the one that is measured
    stream_messages: int = 600  # messages of a usual size
    stream_many: int = 100_000  # small ones, through one service


SMOKE = Size(
    users=200,
    rounds=1,
    nothing_items=200,
    shell_users=10,
    listed_users=200,
    few_facts=1_000,
    many_facts=4_000,
    short_queue=100,
    long_queue=2_000,
    claims=200,
    makespan_s=0.2,
    few_items=50,
    many_items=300,
    nights=3,
    night_users=100,
    cache_entries=1_000,
    cache_wait_s=0.001,
    cache_reads=500,
    counter_users=3_000,
    few_invoices=300,
    many_invoices=3_000,
    stream_messages=8,
    stream_many=40,
)
"""So small that all bars together take about a minute; the figures mean nothing."""
