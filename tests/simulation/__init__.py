"""The simulation: against its promises, against real cycles, as a command."""
