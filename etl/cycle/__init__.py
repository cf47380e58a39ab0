"""A cycle: one build and drain of a queue."""

from etl.cycle.cycle import Cycle
from etl.cycle.options import CycleOptions

__all__ = ["Cycle", "CycleOptions"]
