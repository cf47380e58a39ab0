"""How sure a rate is that was seen in a sample."""

import math

CONFIDENCE = 0.95
"""How often a bound holds."""


def at_most(hits: int, tries: int, confidence: float = CONFIDENCE) -> float:
    """The upper confidence bound of a rate, one-sided and exact (Clopper and Pearson, 1934).

    Args:
        hits: How often it was seen.
        tries: Out of how many, drawn by lot.
        confidence: How often a bound computed so holds.

    Returns:
        The largest rate with which so few hits still come up once in ``1 / (1 - confidence)``
        times, from 0 to 1. It takes the population for endless, so for a small one it errs on
        the safe side.
    """
    if hits >= tries:
        return 1.0
    low, high = hits / tries, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _tail(hits, tries, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def _tail(hits: int, tries: int, rate: float) -> float:
    """The chance of so many hits or fewer."""
    if rate <= 0:
        return 1.0
    if rate >= 1:
        return 0.0
    logs = math.log(rate), math.log1p(-rate)
    every = math.lgamma(tries + 1)
    return math.fsum(
        math.exp(
            every
            - math.lgamma(k + 1)
            - math.lgamma(tries - k + 1)
            + k * logs[0]
            + (tries - k) * logs[1]
        )
        for k in range(hits + 1)
    )
