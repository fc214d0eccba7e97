"""What an arm costs in money and carbon, all its failures, retries and escalations included.

    local     electricity (calls and idle draw) + hardware for as long as it was occupied
    hardware  purchase price / (lifetime x utilisation): a machine that works half the time costs twice as
              much for each second of work
    remote    tokens times the prices on the card, or those that the user types

An arm that asks a remote model for some of its calls pays for both: tokens for those calls, this machine for
the rest of the time. While it waits for the server, the machine is somebody else's.

Figures per success divide the total over all cases by the number of cases that were solved entirely.
Everything here is declared or follows from what was declared; what was not declared stays unknown.
"""

from __future__ import annotations

from typing import NamedTuple

from orchestrator.bench.summary import ArmSummary, sum_known
from orchestrator.meter.energy import JOULES_PER_KWH, energy_cost, token_cost
from orchestrator.types import Record
from orchestrator.workspace import Machine

UTILISATIONS = (0.2, 0.5, 1.0)
_SECONDS_PER_YEAR = 365.25 * 24 * 3600


class PerSuccess(Record):
    """For each case that was solved entirely; None when none was, or where a figure is not known."""

    seconds: float | None = None
    joules: float | None = None
    usd: float | None = None


class Remote(NamedTuple):
    """What an arm's calls to servers elsewhere cost, None where it is not known, and how long they took."""

    usd: float | None
    seconds: float


class Costs(Record):
    """Of one arm over all its cases. `seconds`: how long they took, without loading models. What a server
    elsewhere draws is not known, so the energy and the CO2e of an arm that asked one are None.
    `hardware_usd` by utilisation, as text (`0.5`).
    """

    seconds: float
    energy_j: float | None = None
    electricity_usd: float | None = None
    hardware_usd: dict[str, float] = {}
    remote: bool = False
    remote_usd: float | None = None
    co2e_grams: float | None = None
    per_success: PerSuccess

    def total_usd(self, utilisation: float) -> float | None:
        """Electricity and hardware of this machine, and what was paid for tokens elsewhere."""
        here = (self.electricity_usd, self.hardware_usd.get(str(utilisation)))
        return sum_known((*here, self.remote_usd) if self.remote else here)


def costs_of(summary: ArmSummary, seconds: float, machine: Machine, remote: Remote | None = None) -> Costs:
    """`remote`: what was asked elsewhere; None for an arm that stayed on this machine."""
    here_s = max(0.0, seconds - remote.seconds) if remote else seconds
    local_j = None
    if summary.energy_j is not None:
        idle_j = summary.idle_energy_j or 0.0
        local_j = summary.energy_j + (idle_j * here_s / seconds if seconds else 0.0)
    energy_j, rate = None if remote else local_j, machine.grams_co2e_per_kwh
    costs = Costs(
        seconds=seconds,
        energy_j=energy_j,
        electricity_usd=None if local_j is None else energy_cost(local_j, machine),
        hardware_usd={str(share): usd * here_s for share, usd in hardware_usd_per_s(machine).items()},
        remote=remote is not None,
        remote_usd=remote.usd if remote else None,
        co2e_grams=None if energy_j is None or rate is None else energy_j / JOULES_PER_KWH * rate,
        per_success=PerSuccess(),
    )
    return costs.model_copy(update={"per_success": _per_success(costs, summary.solved)})


def hardware_usd_per_s(machine: Machine) -> dict[float, float]:
    """By utilisation; empty where price or lifetime is not declared."""
    if machine.purchase_usd is None or machine.lifetime_years is None:
        return {}
    seconds = machine.lifetime_years * _SECONDS_PER_YEAR
    return {share: machine.purchase_usd / (seconds * share) for share in UTILISATIONS}


def break_even_successes(
    machine: Machine, local: Costs, solved: int, remote_usd_per_success: float
) -> float | None:
    """Successes after which buying the machine has paid off against a remote price.

    purchase / (remote price - own electricity), each for one success; None where that is not known or the
    electricity alone costs more than the remote call, so that it never pays.
    """
    if machine.purchase_usd is None or local.electricity_usd is None or not solved:
        return None
    saved = remote_usd_per_success - local.electricity_usd / solved
    return machine.purchase_usd / saved if saved > 0 else None


def remote_usd_per_success(summary: ArmSummary, usd_per_million: tuple[float, float]) -> float | None:
    """What the arm's tokens would cost for each success at prices for reading and writing."""
    paid_usd = token_cost(summary.generator_tokens, usd_per_million)
    return None if paid_usd is None or not summary.solved else paid_usd / summary.solved


def _per_success(costs: Costs, solved: int) -> PerSuccess:
    if not solved:
        return PerSuccess()
    usd = costs.total_usd(0.5)
    return PerSuccess(
        seconds=costs.seconds / solved,
        joules=None if costs.energy_j is None else costs.energy_j / solved,
        usd=None if usd is None else usd / solved,
    )
