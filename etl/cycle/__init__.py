"""A cycle: one build and drain of a queue, by one host or by several."""

from etl.cycle.cycle import Cycle
from etl.cycle.joining import WORKERS_OF_A_CREW, CrewOptions, HostCrew
from etl.cycle.options import CycleOptions

__all__ = ["WORKERS_OF_A_CREW", "CrewOptions", "Cycle", "CycleOptions", "HostCrew"]
