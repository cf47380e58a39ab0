"""A short version of the run that tests/stream/chaos.py makes as long as wanted."""

from contextlib import ExitStack

from tests.stream.broker import OwnBroker
from tests.stream.chaos import Chaos


def test_nothing_is_lost_and_nothing_counted_twice(broker: OwnBroker) -> None:
    with ExitStack() as stack:
        found = Chaos(stack, broker, seed=3, kind="quorum").run(
            ["kill_worker", "kill_service", "cut_amqp", "cut_pg", "crash_server", "restart_broker"]
        )
    assert not found.wrong
    assert len(found.stored) + len(found.dead) >= found.published == 240
    assert found.faults.total() == 6
