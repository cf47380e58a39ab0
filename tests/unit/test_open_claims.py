"""Which claims are without an outcome, and what becomes of them when the cycle ends."""

from hypothesis import given
from hypothesis import strategies as st

from etl.model import Claim, Outcome, Result
from etl.queue import Entry, OpenClaims

A, B = Claim(1, "a", 1, {}), Claim(2, "b", 2, {})
DONE = Result(Outcome.DONE, 0.5)
FAILED = Result(Outcome.FAILED, 1.5, "57014", "too slow")


def follow(*told: tuple[str, int, Claim, Result | None]) -> OpenClaims:
    claims = OpenClaims()
    for at, (event, worker, claim, result) in enumerate(told):
        claims.follow(Entry(float(at), event, worker, claim, result))
    return claims


def test_a_claim_is_in_hand_until_it_has_an_outcome() -> None:
    claims = follow(("claimed", 1, A, None), ("claimed", 2, B, None))
    assert (claims.held_by(1), claims.held_by(2)) == ([A], [B])
    claims.follow(Entry(3.0, "done", 1, A, DONE))
    assert (claims.held_by(1), claims.held_by(2)) == ([], [B])
    assert claims.settle("gone") == [(2, B, Result(Outcome.ORPHANED, message="gone"))]


def test_only_the_first_of_two_in_hand_was_worked_on() -> None:
    both = (("claimed", 1, A, None), ("claimed", 1, B, None))
    assert follow(*both).held_by(1) == [A, B]
    assert [claim for _, claim, _ in follow(*both).settle("gone")] == [A]
    claims = follow(*both, ("done", 1, A, DONE))
    assert [claim for _, claim, _ in claims.settle("gone")] == [B]


def test_a_claim_that_was_given_back_is_nobodys() -> None:
    claims = follow(("claimed", 1, A, None), ("released", 1, A, None))
    assert claims.settle("gone") == []


def test_a_deferred_claim_has_failed_unless_it_comes_again() -> None:
    deferred = (("claimed", 1, A, None), ("deferred", 1, A, FAILED))
    ((worker, claim, result),) = follow(*deferred).settle("gone")
    assert (worker, claim, result.outcome, result.sqlstate) == (1, A, Outcome.FAILED, "57014")
    assert result.message == "too slow; the cycle ended before it came again"
    again = Claim(7, "a", 1, {}, is_slow=True)
    ((worker, claim, result),) = follow(*deferred, ("claimed", 2, again, None)).settle("gone")
    assert (worker, claim, result.outcome) == (2, again, Outcome.ORPHANED)
    assert follow(*deferred, ("claimed", 2, again, None), ("done", 2, again, DONE)).settle("") == []


def test_a_claim_whose_commit_was_lost_is_known_by_its_place() -> None:
    claims = follow(("claimed", 1, A, None), ("done", 1, A, DONE), ("claimed", 1, B, None))
    claims.follow(Entry(3.0, "taken_back", 1, A, None))
    assert (claims.taken_back, claims.held_by(1)) == ({1}, [B])


MOVES = st.lists(
    st.tuples(
        st.sampled_from(["claimed", "done", "released", "deferred"]), st.sampled_from([1, 2, 3])
    ),
    max_size=30,
)


@given(moves=MOVES)
def test_every_claim_comes_to_one_end(moves: list[tuple[str, int]]) -> None:
    claims, ended, items = OpenClaims(), 0, 0
    in_hand: dict[int, Claim] = {}
    waiting: list[Claim] = []
    for event, worker in moves:
        if event == "claimed" and worker not in in_hand:
            if not waiting:
                items += 1
                waiting.append(Claim(items, str(items), 1, {}))
            claim = in_hand[worker] = waiting.pop()
        elif event != "claimed" and worker in in_hand:
            claim = in_hand.pop(worker)
            ended += event in ("done", "released")
            if event == "deferred":
                waiting.append(claim)
        else:
            continue
        result = {"done": DONE, "deferred": FAILED}.get(event)
        claims.follow(Entry(0.0, event, worker, claim, result))
    settled = claims.settle("gone")
    assert len(settled) == len(in_hand) + len(waiting)
    assert len(settled) + ended == items
