"""Joules and money of a call, modelled from CPU seconds and what the user declared about the machine.

No counter is read here yet, so every joule is labelled `modelled`. Where the machine file does not declare
a price, the cost stays unknown.
"""

from __future__ import annotations

from orchestrator.types import RemoteEndpoint, Usage
from orchestrator.workspace import Machine

JOULES_PER_KWH = 3.6e6


def priced(usage: Usage, cpu_s: float, machine: Machine, remote: RemoteEndpoint | None = None) -> Usage:
    """`usage` with CPU seconds, modelled joules and cost. A remote call costs what its card's prices say."""
    energy_j = cpu_s * machine.cpu_watts_per_core
    cost_usd = remote_cost(usage, remote) if remote else local_cost(energy_j, machine)
    return usage.model_copy(
        update={"cpu_s": cpu_s, "energy_j": energy_j, "energy_source": "modelled", "cost_usd": cost_usd}
    )


def local_cost(energy_j: float, machine: Machine) -> float | None:
    """Electricity only; the price of the hardware is a matter of utilisation and belongs to the report."""
    if machine.usd_per_kwh is None:
        return None
    return energy_j / JOULES_PER_KWH * machine.usd_per_kwh


def remote_cost(usage: Usage, remote: RemoteEndpoint) -> float | None:
    """Tokens times the card's prices, in US dollars; None where any of the four is not known."""
    paid = (
        (remote.usd_per_million_input_tokens, usage.prompt_tokens),
        (remote.usd_per_million_output_tokens, usage.completion_tokens),
    )
    costs = [price * tokens / 1e6 for price, tokens in paid if price is not None and tokens is not None]
    return sum(costs) if len(costs) == len(paid) else None


def idle_energy_j(duration_s: float, machine: Machine) -> float:
    """What the machine draws for being on while a run lasts."""
    return duration_s * machine.idle_watts
