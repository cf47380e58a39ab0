"""Every order of a refresh's six steps and those of one rival."""

import pytest

from tests.interleaving import programs
from tests.interleaving.cases import STATES
from tests.interleaving.conftest import Stage
from tests.interleaving.programs import Program
from tests.interleaving.replay import WorkerPlan


@pytest.mark.parametrize("program", programs.ALL, ids=lambda program: program.name)
def test_every_order_with_one_rival(stage: Stage, program: Program) -> None:
    for state in STATES:
        stage.play(state, [WorkerPlan()], [program])


@pytest.mark.parametrize(
    "program", [programs.INSERTS, programs.MARKS_ROLLED_BACK], ids=lambda program: program.name
)
def test_every_order_with_a_refresh_that_reads_one_snapshot(stage: Stage, program: Program) -> None:
    for state in STATES:
        stage.play(state, [WorkerPlan(isolation="REPEATABLE READ")], [program])
