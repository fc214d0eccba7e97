"""Clock, CPU time, memory, energy, cost and machine: every figure with its unit and its source."""

from orchestrator.meter.books import Drawn, Meter, Span
from orchestrator.meter.counters import open_counters
from orchestrator.meter.energy import priced

__all__ = ["Drawn", "Meter", "Span", "open_counters", "priced"]
