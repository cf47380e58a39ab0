"""Why a cycle ended, in the words of its record."""

from etl.model import INCOMPLETE, CycleRecord


def stop_reason(
    record: CycleRecord,
    queued: int,
    *,
    is_cancelled: bool,
    was_paused: bool,
    is_time_over: bool,
    is_cut_by_time: bool,
) -> str:
    """The reason for which a cycle ended.

    Args:
        record: Its record, with all that was counted.
        queued: How much the queue held.
        is_cancelled: Whether somebody cancelled it.
        was_paused: Whether its job was paused when it began.
        is_time_over: Whether its time limit is over.
        is_cut_by_time: Whether the queue was made shorter for it.
    """
    if record.stop_signal is not None:
        return "stopped"
    if is_cancelled:
        return "cancelled"
    if was_paused and not queued:
        return "paused"
    if is_cut_by_time or (is_time_over and (record.claimed < queued or not queued)):
        return "time limit"
    if record.claimed < queued:
        return INCOMPLETE
    return "limit" if record.remaining else "drained"
