"""Every order of a refresh and two rivals, of two refreshes, and of both with a rival."""

import pytest

from tests.interleaving.conftest import Stage
from tests.interleaving.programs import (
    CLOSES,
    DELETES,
    INSERTS,
    INSERTS_ROLLED_BACK,
    MARKS,
    MARKS_ROLLED_BACK,
    Program,
)
from tests.interleaving.replay import WorkerPlan
from tests.interleaving.stepping import CLAIM, COMPUTE, READ_VERSION

PAIRS = (
    (INSERTS, INSERTS_ROLLED_BACK),
    (MARKS, INSERTS),
    (MARKS_ROLLED_BACK, INSERTS_ROLLED_BACK),
    (CLOSES, DELETES),
)
# What a claim is to a loader, and what a lock is apart from the clearing, the orders with one
# rival show.
COARSE = WorkerPlan((READ_VERSION, COMPUTE))


@pytest.mark.parametrize(
    "pair", PAIRS, ids=lambda pair: " and ".join(program.name for program in pair)
)
def test_every_order_with_two_rivals(stage: Stage, pair: tuple[Program, Program]) -> None:
    stage.play("marked", [COARSE], pair)


def test_every_order_of_two_refreshes_of_one_user(stage: Stage) -> None:
    for state in ("marked", "due"):
        stage.play(state, [WorkerPlan(), WorkerPlan((CLAIM,))], [])


def test_every_order_of_two_refreshes_and_a_rival(stage: Stage) -> None:
    stage.play("marked", [COARSE, WorkerPlan(())], [INSERTS])


def test_a_second_refresh_is_busy_or_runs_after_the_first(stage: Stage) -> None:
    played = stage.play("marked", [COARSE, COARSE], [])
    ends = {
        tuple(worker.sqlstate for _, worker in sorted(replay.model.workers.items()))
        for replay in played
    }
    assert ends == {("", ""), ("", "55P03"), ("55P03", "")}
