"""Money, carbon and figures per success, against sums done by hand."""

from __future__ import annotations

import pytest

from orchestrator.bench.arms import Outcome
from orchestrator.bench.costs import Costs, Remote, break_even_successes, costs_of, hardware_usd_per_s
from orchestrator.bench.record import Findings
from orchestrator.bench.spec import Arm, Benchmark, Family
from orchestrator.bench.summary import ArmSummary, summarise
from orchestrator.bench.verdict import Design
from orchestrator.types import ModelCard, RemoteEndpoint, Usage
from orchestrator.workspace import Machine
from tests.bench.helpers import CODE, make_case, make_outcome

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


def test_a_remote_arm_costs_its_tokens_and_what_this_machine_does_besides() -> None:
    """Six of eight seconds are spent waiting for the server: two of hardware and of idle draw are ours."""
    costs = costs_of(summary(), 8.0, MACHINE, Remote(0.5, 6.0))
    ours_j = 4 * 900 + 4 * 100 * 2 / 8
    hardware = 2.0 * 1000 / (4 * YEAR_S) / 0.5
    assert costs.electricity_usd == pytest.approx(ours_j / 3.6e6 * 0.36)
    assert costs.total_usd(0.5) == pytest.approx(0.5 + ours_j / 3.6e6 * 0.36 + hardware)
    assert costs.per_success.usd == pytest.approx(costs.total_usd(0.5) / 2)  # type: ignore[operator]
    assert (costs.energy_j, costs.co2e_grams) == (None, None), "what the server draws is not known"


def test_a_remote_price_that_is_not_known_leaves_the_sum_unknown() -> None:
    unpriced = costs_of(summary(), 8.0, MACHINE, Remote(None, 6.0))
    assert (unpriced.total_usd(0.5), unpriced.per_success.usd, unpriced.energy_j) == (None, None, None)


def far(cost_usd: float | None) -> Usage:
    return Usage(calls=1, duration_s=0.5, cost_usd=cost_usd)


def remote_costs(*outcomes: Outcome) -> Costs:
    """As a record has them, with a card whose runtime is remote."""
    card = ModelCard(
        name="far",
        description="",
        licence="none",
        origin="tests",
        runtime="remote",
        capabilities=("generate",),
        remote=RemoteEndpoint(base_url="http://127.0.0.1:1/v1", model="m"),
    )
    found = Findings(BENCHMARK, CASES, CODE, MACHINE, {"far": card}, outcomes, Design(cases={"multiple": 4}))
    return found.fields()["figures"][0].costs  # type: ignore[no-any-return]


OVERHEAD = Usage(energy_j=900.0, energy_source="modelled", cost_usd=5e-9)
CASES = {f"multiple_{n}": make_case(n) for n in range(4)}
BENCHMARK = Benchmark(
    name="b",
    description="",
    dataset="d",
    seed=1,
    families=(Family(category="multiple"),),
    arms=(Arm(name="crew", agent="a", route="cascade"), Arm(name="other", agent="a", route="cascade")),
)


def escalated(case: int, *, price: float | None, remote: bool = True) -> Outcome:
    by_model = {"overhead": OVERHEAD, **({"far": far(price)} if remote else {})}
    used = sum(by_model.values(), Usage())
    return make_outcome(case, "crew", True, usage=used, usage_by_model=by_model, idle_energy_j=100.0)


def test_electricity_of_this_machine_is_no_price_of_a_remote_call() -> None:
    costs = remote_costs(*(escalated(n, price=None) for n in range(4)))
    assert costs.remote
    assert (costs.remote_usd, costs.total_usd(0.5), costs.per_success.usd) == (None, None, None)


def test_one_remote_call_of_many_does_not_make_the_others_free() -> None:
    outcomes = [escalated(0, price=0.001), *(escalated(n, price=None, remote=False) for n in range(1, 4))]
    mixed, local = remote_costs(*outcomes), remote_costs(*outcomes[1:])
    assert mixed.remote_usd == 0.001
    assert mixed.total_usd(0.5) > 0.001 + local.total_usd(0.5)  # type: ignore[operator]
    assert (local.remote, mixed.remote) == (False, True)


def test_one_price_that_is_not_known_makes_the_sum_unknown() -> None:
    outcomes = [escalated(0, price=0.001), escalated(1, price=None)]
    assert remote_costs(*outcomes).remote_usd is None


def test_break_even_counts_successes_until_the_machine_is_paid() -> None:
    costs = costs_of(summary(), 8.0, MACHINE)
    own = 4000 / 3.6e6 * 0.36 / 2
    assert break_even_successes(MACHINE, costs, 2, 0.01) == pytest.approx(1000 / (0.01 - own))
    assert break_even_successes(MACHINE, costs, 2, own / 2) is None
    assert break_even_successes(UNDECLARED, costs, 2, 0.01) is None
