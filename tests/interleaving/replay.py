"""Plays one order of the steps of workers and rivals, and compares its end with the model.

A session whose turn comes while it is blocked takes it as soon as it is free again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.interleaving.cases import Case
from tests.interleaving.model import Model, ModelWorker
from tests.interleaving.programs import Program
from tests.interleaving.stepping import CLAIM, COMPUTE, LOCK, READ_VERSION, Observer, Session, State
from tests.support import DAY

_NAMES = {CLAIM: "claim", READ_VERSION: "read version", COMPUTE: "compute", LOCK: "lock"}
_ALL_GATES = (CLAIM, READ_VERSION, COMPUTE, LOCK)


def orders(*lengths: int) -> Iterator[tuple[int, ...]]:
    """Every order in which sessions of so many steps take turns, as indexes of sessions."""
    if not any(lengths):
        yield ()
    for index, left in enumerate(lengths):
        if left:
            for rest in orders(*lengths[:index], left - 1, *lengths[index + 1 :]):
                yield (index, *rest)


class Actor:
    """A session with a list of steps."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.state = State.IDLE
        self.turns = 0
        self.taken = 0

    def begin(self, case: Case) -> None:
        """Get ready for another order."""
        self.session.reset()
        self.case = case
        self.turns = self.taken = 0

    @property
    def names(self) -> Sequence[str]:
        raise NotImplementedError

    def start(self) -> None:
        raise NotImplementedError

    def tell(self, model: Model, actor: int) -> None:
        """Tell the model of the step that has just been got through."""
        raise NotImplementedError


@dataclass(frozen=True)
class WorkerPlan:
    """Where a worker stops, and in what kind of transaction it runs."""

    gates: tuple[int, ...] = _ALL_GATES
    isolation: str = "READ COMMITTED"

    @property
    def names(self) -> tuple[str, ...]:
        return (*(_NAMES[gate] for gate in self.gates), "clear", "commit")


class Worker(Actor):
    """Refreshes the user."""

    def __init__(self, session: Session, observer: Observer, plan: WorkerPlan) -> None:
        super().__init__(session)
        self._observer = observer
        self.plan = plan

    @property
    def names(self) -> Sequence[str]:
        return self.plan.names

    @property
    def is_writing(self) -> bool:
        """It may hold the user's row: only then may anybody have to wait for it."""
        computed = sum(gate <= COMPUTE for gate in self.plan.gates)
        return computed <= self.taken < len(self.names)

    def start(self) -> None:
        if self.taken == 0:
            self._observer.close_gates(self.session.pid, self.plan.gates)
            self.session.send(
                f"BEGIN ISOLATION LEVEL {self.plan.isolation};"
                f" CALL dwh.update_datamart_user({self.case.user}, '{DAY}')"
            )
        elif self.taken == len(self.names) - 1:
            self.session.send("COMMIT")
        elif self.state is State.AT_GATE:
            self.session.pass_gate()

    def tell(self, model: Model, actor: int) -> None:
        if self.taken == 1:
            model.workers[actor] = ModelWorker(self.plan.isolation != "READ COMMITTED")
        if self.taken == len(self.names):
            model.commit_worker(actor)
            return
        parts = {CLAIM: model.claim, READ_VERSION: model.read_version, LOCK: model.lock}
        before = self.plan.gates[self.taken - 2] if self.taken > 1 else 0
        is_rest = self.taken > len(self.plan.gates)
        until = LOCK if is_rest else self.plan.gates[self.taken - 1]
        for gate, told in parts.items():
            if before < gate <= until:
                told(actor)
        if is_rest:
            model.clear(actor)


class Rival(Actor):
    """Runs a program."""

    def __init__(self, session: Session, program: Program, number: int) -> None:
        super().__init__(session)
        self.program = program
        self._number = number

    @property
    def names(self) -> Sequence[str]:
        return [step.name for step in self.program.steps]

    def start(self) -> None:
        statements = self.program.steps[self.taken].statements
        self.session.send(
            statements.format(
                user=self.case.user, other=self.case.other, note=self.case.note + self._number
            )
        )

    def tell(self, model: Model, actor: int) -> None:
        step = self.program.steps[self.taken - 1]
        has_failed = bool(self.session.sqlstate)
        if step.locks and not has_failed:
            model.holders.add(actor)
        if step.releases or has_failed:
            model.holders.discard(actor)
        if step.ends:
            model.commit_loader(actor, self.program.changes and not has_failed)


class Replay:
    """One order, played."""

    def __init__(self, actors: Sequence[Actor], case: Case, order: Sequence[int]) -> None:
        self.actors = actors
        self.case = case
        self.model = Model(is_dirty=case.is_marked)
        self._order = order
        self._through: list[str] = []

    def play(self) -> None:
        """Take all turns; every session has ended afterwards."""
        for actor in self.actors:
            actor.begin(self.case)
        for index in self._order:
            self.actors[index].turns += 1
            while any(self._go_on(each) for each in range(len(self.actors))):
                pass
        for actor in self.actors:
            assert actor.taken == len(actor.names), self.story("has not ended")
        for index, worker in self.model.workers.items():
            ended = self.actors[index].session.sqlstate
            assert ended == worker.sqlstate, self.story(
                f"{index} ended with {ended or 'success'}, not {worker.sqlstate or 'success'}"
            )

    def _go_on(self, index: int) -> bool:
        """Let a session do what it can. Returns whether it did anything."""
        actor = self.actors[index]
        if actor.state is State.BLOCKED:
            if self._settle(actor) is State.BLOCKED:
                return False
        elif actor.turns:
            actor.turns -= 1
            actor.start()
            if self._settle(actor) is State.BLOCKED:
                return True
        else:
            return False
        self._through.append(f"{index} {actor.names[actor.taken]}")
        actor.taken += 1
        actor.tell(self.model, index)
        return True

    def _settle(self, actor: Actor) -> State:
        actor.state = actor.session.settle()
        if actor.state is State.BLOCKED:
            assert isinstance(actor, Rival), self.story("a worker waits")
            for other in self.actors:
                if isinstance(other, Worker) and other.session.pid in actor.session.blockers:
                    assert other.is_writing, self.story("a rival waits for the computing")
        return actor.state

    def story(self, problem: str) -> str:
        """What a failure says: which order, and how far it got."""
        who = ", ".join(
            f"{index}: {actor.program.name if isinstance(actor, Rival) else 'refreshes'}"
            for index, actor in enumerate(self.actors)
        )
        return f"{problem}: {self.case.state} user {self.case.user}; {who}; {self._through}"
