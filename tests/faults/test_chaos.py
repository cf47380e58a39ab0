"""A short chaos run; `make chaos KILLS=1000` is the long one."""

from tests.chaos.__main__ import table
from tests.chaos.plan import Kind, draw
from tests.chaos.run import run

SEED = 20260116


def test_a_seed_is_a_plan() -> None:
    assert draw(SEED, 100, 50) == draw(SEED, 100, 50) != draw(SEED + 1, 100, 50)
    assert {fault.kind for fault in draw(SEED, len(Kind), 50)} == set(Kind)


def test_every_invariant_holds_after_faults_of_every_kind() -> None:
    said: list[str] = []
    report = run(SEED, 28, 2, 1500, said.append)
    assert report.broken == [], "\n".join([f"seed {SEED}", *said, table(report)])
    assert len(report.hit) == len(Kind) or report.missed
