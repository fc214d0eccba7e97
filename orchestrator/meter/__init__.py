"""Clock, CPU time, memory, energy, cost and machine: every figure with its unit and its source."""

from orchestrator.meter.books import Meter, Span
from orchestrator.meter.energy import priced

__all__ = ["Meter", "Span", "priced"]
