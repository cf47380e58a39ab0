"""A cycle: one build and drain of a queue, by one host or by several."""

from etl.cycle.cycle import Cycle
from etl.cycle.joining import CrewOptions, HostCrew
from etl.settings import CycleOptions

__all__ = ["CrewOptions", "Cycle", "CycleOptions", "HostCrew"]
