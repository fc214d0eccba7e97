"""Joules and money of a call, from what it drew and what the user declared about the machine.

A joule is `measured` when a counter covers the CPU; else CPU seconds times declared watts, `modelled`, also
where a GPU's counter is added to it. Where the machine file does not declare a price, the cost stays unknown.
"""

from __future__ import annotations

from orchestrator.meter.books import Drawn
from orchestrator.types import RemoteEndpoint, Source, Usage
from orchestrator.workspace import Machine

JOULES_PER_KWH = 3.6e6


def priced(usage: Usage, drawn: Drawn, machine: Machine, remote: RemoteEndpoint | None = None) -> Usage:
    """`usage` with CPU seconds, joules and cost. A remote call costs what its card's prices say."""
    energy_j, source = energy_of(drawn, machine)
    cost_usd = remote_cost(usage, remote) if remote else energy_cost(energy_j, machine)
    return usage.model_copy(
        update={
            "cpu_s": drawn.cpu_s,
            "energy_j": energy_j,
            "energy_source": source,
            "cost_usd": cost_usd,
        }
    )


def energy_of(drawn: Drawn, machine: Machine) -> tuple[float, Source]:
    """Joules, and whether a meter or a model says so."""
    if drawn.counted_j is not None and drawn.covers_cpu:
        return drawn.counted_j, "measured"
    return drawn.cpu_s * machine.cpu_watts_per_core + (drawn.counted_j or 0.0), "modelled"


def energy_cost(energy_j: float, machine: Machine) -> float | None:
    """Electricity only; the price of the hardware is a matter of utilisation and belongs to the report."""
    if machine.usd_per_kwh is None:
        return None
    return energy_j / JOULES_PER_KWH * machine.usd_per_kwh


def remote_cost(usage: Usage, remote: RemoteEndpoint) -> float | None:
    """Tokens times the card's prices."""
    prices = (remote.usd_per_million_input_tokens, remote.usd_per_million_output_tokens)
    return token_cost((usage.prompt_tokens, usage.completion_tokens), prices)


def token_cost(
    tokens: tuple[int | None, int | None], usd_per_million: tuple[float | None, float | None]
) -> float | None:
    """Of tokens read and written, in US dollars; None where any of the four is not known."""
    paid = zip(usd_per_million, tokens, strict=True)
    costs = [price * tokens / 1e6 for price, tokens in paid if price is not None and tokens is not None]
    return sum(costs) if len(costs) == len(tokens) else None


def idle_energy_j(duration_s: float, drawn: Drawn, machine: Machine) -> float | None:
    """What the machine draws for being on while a run lasts; None where a counter has its share in it."""
    return None if drawn.covers_cpu else duration_s * machine.idle_watts
