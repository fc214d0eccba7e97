"""Money, carbon and figures per success, against sums done by hand."""

from __future__ import annotations

import pytest

from orchestrator.bench.costs import break_even_successes, costs_of, hardware_usd_per_s
from orchestrator.bench.summary import ArmSummary, summarise
from orchestrator.types import Usage
from orchestrator.workspace import Machine
from tests.bench.helpers import make_outcome

YEAR_S = 365.25 * 24 * 3600
MACHINE = Machine(
    name="m",
    cpu_watts_per_core=10.0,
    idle_watts=20.0,
    usd_per_kwh=0.36,
    purchase_usd=1000.0,
    lifetime_years=4.0,
    grams_co2e_per_kwh=180.0,
    source="test",
)
UNDECLARED = Machine(name="m", cpu_watts_per_core=10.0, idle_watts=20.0, source="test")


def summary(solved: int = 2) -> ArmSummary:
    used = Usage(calls=1, energy_j=900.0, energy_source="modelled")
    outcomes = [make_outcome(n, "crew", n < solved, usage=used, idle_energy_j=100.0) for n in range(4)]
    return summarise("crew", outcomes)


def test_hardware_costs_more_the_less_it_is_used() -> None:
    rates = hardware_usd_per_s(MACHINE)
    assert rates[1.0] == pytest.approx(1000 / (4 * YEAR_S))
    assert rates[0.2] == pytest.approx(5 * rates[1.0])
    assert hardware_usd_per_s(UNDECLARED) == {}


def test_idle_draw_and_failures_are_charged_to_the_successes() -> None:
    costs = costs_of(summary(), 8.0, MACHINE)
    assert costs.energy_j == 4 * 1000.0
    assert costs.electricity_usd == pytest.approx(4000 / 3.6e6 * 0.36)
    assert costs.co2e_grams == pytest.approx(4000 / 3.6e6 * 180)
    hardware = 8.0 * 1000 / (4 * YEAR_S) / 0.5
    assert costs.total_usd(0.5) == pytest.approx(4000 / 3.6e6 * 0.36 + hardware)
    assert (costs.per_success.seconds, costs.per_success.joules) == (4.0, 2000.0)
    assert costs.per_success.usd == pytest.approx((4000 / 3.6e6 * 0.36 + hardware) / 2)


def test_what_is_not_declared_stays_unknown() -> None:
    costs = costs_of(summary(), 8.0, UNDECLARED)
    assert (costs.electricity_usd, costs.co2e_grams, costs.total_usd(0.5)) == (None, None, None)
    assert costs.per_success.joules == 2000.0
    assert costs.per_success.usd is None


def test_without_any_success_there_is_no_cost_of_one() -> None:
    assert costs_of(summary(0), 8.0, MACHINE).per_success.joules is None


def test_a_remote_arm_costs_what_was_paid_for_tokens() -> None:
    costs = costs_of(summary(), 8.0, MACHINE, remote_usd=0.5, remote=True)
    assert costs.total_usd(0.5) == 0.5
    assert costs.per_success.usd == 0.25
    assert (costs.energy_j, costs.co2e_grams) == (None, None), "what the server draws is not known"
    unpriced = costs_of(summary(), 8.0, MACHINE, remote=True)
    assert (unpriced.total_usd(0.5), unpriced.energy_j) == (None, None)


def test_break_even_counts_successes_until_the_machine_is_paid() -> None:
    costs = costs_of(summary(), 8.0, MACHINE)
    own = 4000 / 3.6e6 * 0.36 / 2
    assert break_even_successes(MACHINE, costs, 2, 0.01) == pytest.approx(1000 / (0.01 - own))
    assert break_even_successes(MACHINE, costs, 2, own / 2) is None
    assert break_even_successes(UNDECLARED, costs, 2, 0.01) is None
