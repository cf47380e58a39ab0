"""A stage for orders: gates in the procedure, an observer, sessions, and what must hold."""

from collections.abc import Iterable, Sequence

import pytest

from etl.db import Connection
from tests.conftest import Connect
from tests.interleaving.cases import Cases
from tests.interleaving.programs import Program
from tests.interleaving.replay import Actor, Replay, Rival, Worker, WorkerPlan, orders
from tests.interleaving.stepping import Observer, Session, install_gates


class Stage:
    """Plays orders with the same sessions, each order with a user of its own."""

    def __init__(self, connection: Connection, connect_again: Connect) -> None:
        self.cases = Cases(connection)
        self._observer = Observer(connection)
        self._connect = connect_again
        self._sessions: list[Session] = []
        install_gates(connection)

    def _session(self, number: int) -> Session:
        while len(self._sessions) <= number:
            self._sessions.append(Session(self._connect(), self._observer))
        return self._sessions[number]

    def play(
        self, state: str, workers: Sequence[WorkerPlan], programs: Iterable[Program]
    ) -> list[Replay]:
        """Play every order of these workers and rivals; compare the end of each with the model.

        No user is clean and wrong at the end, and everybody is right after one more refresh.
        """
        actors: list[Actor] = [
            Worker(self._session(number), self._observer, plan)
            for number, plan in enumerate(workers)
        ]
        for number, program in enumerate(programs):
            actors.append(Rival(self._session(len(workers) + number), program, number))
        every = list(orders(*(len(actor.names) for actor in actors)))
        played = [
            Replay(actors, case, order)
            for case, order in zip(self.cases.make(state, len(every)), every, strict=True)
        ]
        for replay in played:
            replay.play()
            self._observer.open_all()
        self._compare(played)
        return played

    def _compare(self, played: Sequence[Replay]) -> None:
        marked, wrong = self.cases.marked(), self.cases.wrong()
        untouched = self.cases.untouched(replay.case.user for replay in played)
        for replay in played:
            user = replay.case.user
            assert user not in wrong, replay.story(f"clean, but {wrong.get(user)}")
            assert (user in marked) == replay.model.is_dirty, replay.story(
                "should be dirty" if replay.model.is_dirty else "should be clean"
            )
            has_row = not all(worker.sqlstate for worker in replay.model.workers.values())
            assert (user not in untouched) == has_row, replay.story("wrote its row, or did not")
        self.cases.drain()
        assert self.cases.marked() == set()
        assert self.cases.wrong() == {}


@pytest.fixture
def stage(connection: Connection, connect_again: Connect) -> Stage:
    """Nothing has been played yet."""
    return Stage(connection, connect_again)
