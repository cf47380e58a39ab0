"""The queue in the database, as long as its supervisor has no connection."""

from pathlib import Path

from etl.queue import TableQueue


def test_while_nobody_can_ask_there_may_be_items_left(tmp_path: Path) -> None:
    """Else workers that find no server would be taken for such as only find nothing to do."""
    assert TableQueue(tmp_path, 1, lambda _: False, takes_outcomes=True).depth() > 0
