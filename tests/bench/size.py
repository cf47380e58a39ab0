"""How large everything is that the bars measure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """The sizes of one run.

    Attributes:
        users: Of the sample warehouse; 63,887 is what the published notes have.
        rounds: How often each side is measured; the median counts.
        nothing_items: Of the job that does nothing, for its drain.
        shell_users: That the shell way refreshes in a round.
        listed_users: Dirty users of the prioritization.
        few_facts: Facts of the small warehouse they are listed from.
        many_facts: Facts of the large one.
        short_queue: Items of a short queue.
        long_queue: Items of a long one.
        claims: Claims that are timed together.
        makespan_s: Work of each worker in the drain of items of unlike cost, seconds.
        few_items: Items of the cycle with which memory use is compared.
        many_items: Items of the cycle whose memory use counts.
        nights: Of the simulated year.
        night_users: Users of its warehouse.
        cache_entries: Entries that dashboards are computed from.
        cache_wait_s: What a dashboard takes that waits, seconds.
        cache_reads: Payloads that a reader fetches in a round.
        counter_users: Of the social network whose counters are stale.
        few_invoices: Of the repair with which memory use is compared.
        many_invoices: Of the one that is measured.
        stream_messages: Messages of a usual size.
        stream_many: Small ones, through one service.
    """

    users: int = 63_887
    rounds: int = 5
    nothing_items: int = 100_000
    shell_users: int = 300
    listed_users: int = 100_000
    few_facts: int = 1_000_000
    many_facts: int = 10_000_000
    short_queue: int = 1_000
    long_queue: int = 10_000_000
    claims: int = 100_000
    makespan_s: float = 20.0
    few_items: int = 1_000
    many_items: int = 1_000_000
    nights: int = 365
    night_users: int = 5_000
    cache_entries: int = 1_000_000
    cache_wait_s: float = 0.1
    cache_reads: int = 50_000
    counter_users: int = 1_091_000
    few_invoices: int = 100_000
    many_invoices: int = 10_000_000
    stream_messages: int = 600
    stream_many: int = 100_000


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
