"""The exact upper bound of a rate, against values from elsewhere."""

import pytest

from etl.verification.confidence import at_most


@pytest.mark.parametrize(
    ("hits", "tries", "bound"),
    [
        # Of none seen the bound is 1 - 0.05 ** (1 / n).
        (0, 10, 1 - 0.05 ** (1 / 10)),
        (0, 400, 1 - 0.05 ** (1 / 400)),
        (0, 100_000, 1 - 0.05 ** (1 / 100_000)),
        # Of one seen it solves (1 - p) ** n + n p (1 - p) ** (n - 1) = 0.05.
        (1, 10, 0.39416),
        (10, 10, 1.0),
        (9, 10, 0.95 ** (1 / 10)),
    ],
)
def test_the_bound_is_exact(hits: int, tries: int, bound: float) -> None:
    assert at_most(hits, tries) == pytest.approx(bound, rel=1e-4)


def test_more_confidence_is_a_higher_bound_and_more_tries_a_lower_one() -> None:
    assert at_most(3, 100, 0.99) > at_most(3, 100) > at_most(30, 1000) > 0.03
