"""Who is to blame for a server that went down."""

from etl.worker.doubts import Doubts


def test_an_item_in_hand_when_the_server_went_down_comes_again_once() -> None:
    doubts = Doubts()
    assert doubts.clears("5", is_bystander=False)
    assert not doubts.clears("5", is_bystander=False)


def test_a_bystander_comes_again_beside_the_one_that_takes_the_server_down() -> None:
    doubts = Doubts()
    assert [doubts.clears("5", is_bystander=True) for _ in range(4)] == [True, True, True, False]
    assert doubts.clears("6", is_bystander=False)
