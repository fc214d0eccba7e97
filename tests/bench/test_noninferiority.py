"""The margin test keeps its error rate, has the power it promises, and agrees with what others computed."""

from __future__ import annotations

import itertools
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from orchestrator.bench.noninferiority import (
    _graded_moments,
    _resampled_means,
    alpha_of,
    bootstrap_mean,
    paired_difference,
    score_interval,
    score_statistic,
)
from orchestrator.bench.power import cases_for, cases_needed, power_at
from orchestrator.bench.statistics import Pairs

N, MARGIN, SIMULATIONS = 700, 0.05, 2000
CELLS = st.integers(0, 60)


def pairs(both: int, only_first: int, only_second: int, neither: int) -> Pairs:
    return Pairs(both=both, only_first=only_first, only_second=only_second, neither=neither)


def simulated(difference: float, discordance: float, seed: int, n: int = N) -> list[Pairs]:
    """Paired outcomes of two arms whose true difference is known."""
    first, second = (discordance + difference) / 2, (discordance - difference) / 2
    rest = (1 - discordance) / 2
    drawn = np.random.default_rng(seed).multinomial(n, [rest, first, second, rest], size=SIMULATIONS)
    return [pairs(*map(int, row)) for row in drawn]


def shown(tables: list[Pairs]) -> float:
    """The share in which non-inferiority is shown."""
    reach = NormalDist().inv_cdf(0.95)
    return float(np.mean([score_statistic(table, -MARGIN) > reach for table in tables]))


def test_at_the_margin_it_errs_in_five_percent() -> None:
    """Over four discordance rates of 2,000 simulations each; one rate alone has a spread of half a point."""
    errors = [
        shown(simulated(-MARGIN, rate, seed)) for seed, rate in enumerate((0.08, 0.1, 0.2, 0.3), start=1)
    ]
    assert np.mean(errors) <= 0.05
    assert max(errors) <= 0.05 + 1.64 * np.sqrt(0.05 * 0.95 / SIMULATIONS)


@pytest.mark.parametrize("difference", [0.0, -0.02, -0.06])
@pytest.mark.parametrize("discordance", [0.1, 0.2])
def test_power_is_as_predicted(difference: float, discordance: float) -> None:
    predicted = power_at(N, discordance, MARGIN, difference)
    assert shown(simulated(difference, discordance, seed=3)) == pytest.approx(predicted, abs=0.03)


def test_a_difference_beyond_the_margin_is_called_inferior_more_often_than_equal() -> None:
    reach = NormalDist().inv_cdf(0.05)
    worse = np.mean([score_statistic(table, -MARGIN) < reach for table in simulated(-0.12, 0.2, 0)])
    equal = np.mean([score_statistic(table, -MARGIN) < reach for table in simulated(0.0, 0.2, 0)])
    assert worse > 0.95
    assert equal == 0.0


def test_without_a_margin_it_is_mcnemars_test() -> None:
    """At a difference of 0 Tango's statistic is (b - c) / sqrt(b + c), McNemar's without correction."""
    table = pairs(40, 15, 5, 40)
    assert score_statistic(table, 0.0) == pytest.approx((15 - 5) / np.sqrt(20))
    chi2 = score_statistic(table, 0.0) ** 2
    assert stats.chi2.sf(chi2, 1) == pytest.approx(0.0253, abs=1e-4)


def test_tangos_published_interval() -> None:
    """Tango 1998, two contact-lens disinfectants in a crossover: 43, 0, 1, 0; 95 % interval."""
    interval = score_interval(pairs(43, 0, 1, 0), alpha=0.025)
    assert (interval.low, interval.high) == pytest.approx((-0.1183, 0.0603), abs=2e-3)


@given(CELLS, CELLS, CELLS, CELLS)
def test_the_interval_holds_the_estimate_and_mirrors(a: int, b: int, c: int, d: int) -> None:
    if a + b + c + d == 0:
        return
    table, turned = pairs(a, b, c, d), pairs(a, c, b, d)
    interval, mirrored = score_interval(table), score_interval(turned)
    assert -1 <= interval.low <= (b - c) / table.n + 1e-6
    assert (b - c) / table.n - 1e-6 <= interval.high <= 1
    assert (mirrored.low, mirrored.high) == pytest.approx((-interval.high, -interval.low), abs=1e-6)


def test_interval_and_p_value_agree() -> None:
    for only_first, only_second in itertools.product((0, 3, 10, 30), repeat=2):
        first = [1.0] * (100 + only_first) + [0.0] * only_second
        second = [1.0] * 100 + [0.0] * only_first + [1.0] * only_second
        found = paired_difference(first, second, MARGIN)
        assert (found.p_noninferior < 0.05) == (found.interval.low > -MARGIN)
        assert (found.p_inferior < 0.05) == (found.interval.high < -MARGIN)


def test_graded_cases_are_resampled_in_pairs() -> None:
    random = np.random.default_rng(0)
    second = random.uniform(0.2, 0.8, 200)
    same = paired_difference(list(second + 0.01), list(second), MARGIN)
    assert same.value == pytest.approx(0.01)
    assert same.interval.width < 0.03, "a constant difference has little spread, however much cases differ"
    assert same.p_noninferior < 0.001
    worse = paired_difference(list(second - 0.1), list(second), MARGIN)
    assert worse.p_inferior < 0.001
    assert worse.p_noninferior > 0.99


@pytest.mark.parametrize(("n", "ruled"), [(4, False), (51, False), (52, True)])
def test_graded_draws_say_no_more_than_as_many_draws_of_right_and_wrong(n: int, ruled: bool) -> None:
    graded = paired_difference([0.5] * n, [0.5] * n, MARGIN)
    binary = paired_difference([1.0] * n, [1.0] * n, MARGIN)
    assert graded.interval == binary.interval
    assert graded.p_noninferior == pytest.approx(binary.p_noninferior)
    assert (graded.p_noninferior < 0.05) is (graded.interval.low > -MARGIN) is ruled


def test_one_graded_case_shows_nothing_but_a_total_loss() -> None:
    assert paired_difference([0.5], [0.9], MARGIN).p_inferior > 0.05


def test_a_graded_bootstrap_agrees_with_scipy() -> None:
    random = np.random.default_rng(1)
    first, second = random.beta(4, 2, 150), random.beta(3, 2, 150)
    ours = bootstrap_mean(list(first - second), seed=3)
    theirs = stats.bootstrap((first - second,), np.mean, confidence_level=0.95, method="percentile", rng=2)
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval), abs=0.002)
    found = paired_difference(list(first), list(second), MARGIN).interval
    assert found.low < theirs.confidence_interval.low + 0.01
    assert found.width < 1.5 * ours.width


def test_resampling_in_slices_draws_as_many() -> None:
    values = [0.0, 1.0] * 800_000
    whole = bootstrap_mean(values, resamples=7)
    assert 0.49 < whole.low < whole.high < 0.51
    assert _resampled_means(np.array([0.0, 1.0, 0.5]), 1_001, 0).shape == (1_001,)


@pytest.mark.parametrize("losses", [4, 5, 6, 7, 8])
def test_one_graded_case_among_right_and_wrong_changes_no_ruling(losses: int) -> None:
    """At 5 % divided by 19, 300 cases: a grade of 0.999 must not make a ruling that 1.0 does not."""
    first, second = [0.0] * losses + [1.0] * (300 - losses), [1.0] * 300
    binary = paired_difference(first, second, MARGIN, alpha=0.05 / 19)
    graded = paired_difference([*first[:-1], 0.999], second, MARGIN, alpha=0.05 / 19)
    assert graded.interval.low <= binary.interval.low
    assert graded.p_noninferior >= binary.p_noninferior


def heavy_losses(random: np.random.Generator, n: int) -> list[float]:
    """A few cases lose two thirds: the mean is exactly the margin below."""
    return [*np.where(random.random(n) < 0.075, 1 / 3, 1.0)]


def test_graded_cases_are_called_non_inferior_no_more_often_than_declared() -> None:
    """Truly worse by exactly the margin, 2,000 simulations; a bootstrap alone calls 7.5 % of them so."""
    random, alpha = np.random.default_rng(8), 0.05
    reach, seen = NormalDist().inv_cdf(1 - alpha), 0
    for _ in range(2_000):
        differences = np.array(heavy_losses(random, 300)) - 1.0
        seen += _graded_moments(differences).statistic(-MARGIN) > reach
    assert seen / 2_000 <= 0.05


def test_a_graded_ruling_holds_the_score_method_and_the_bootstrap() -> None:
    random = np.random.default_rng(3)
    grades = heavy_losses(random, 300)
    found = paired_difference(grades, [1.0] * 300, MARGIN)
    differences = np.array(grades) - 1.0
    scored = _graded_moments(differences).interval(0.05)
    low, high = np.quantile(_resampled_means(differences, 10_000, 0), [0.05, 0.95])
    assert found.interval.low == min(scored.low, low)
    assert found.interval.high == max(scored.high, high)


def test_the_level_of_one_of_many_families() -> None:
    assert [alpha_of(1), alpha_of(20)] == [0.05, 0.0025]


@pytest.mark.parametrize("alpha", [0.05, 0.05 / 18])
@pytest.mark.parametrize("discordance", [0.0, 0.02, 0.1, 0.4])
def test_cases_for_power(discordance: float, alpha: float) -> None:
    n = cases_for(0.8, discordance, 0.05, alpha)
    assert power_at(n, discordance, 0.05, alpha=alpha) >= 0.8
    assert power_at(n - 5, discordance, 0.05, alpha=alpha) < 0.8


def test_arms_that_always_agree_need_as_many_cases_as_the_margin_asks_for() -> None:
    """All draws: T = sqrt(n margin / (1 - margin)), so z(0.95)^2 0.95 / 0.05 = 51.4 cases."""
    assert cases_for(0.8, 0.0, MARGIN) == 52
    assert score_interval(pairs(52, 0, 0, 0)).low > -MARGIN > score_interval(pairs(51, 0, 0, 0)).low


@pytest.mark.parametrize("n", [40, 72, 160])
@pytest.mark.parametrize("discordance", [0.02, 0.1])
def test_power_of_few_cases_at_a_strict_level(n: int, discordance: float) -> None:
    """At 5 % divided by 18 and few cases, where a normal approximation by the true spread says too much."""
    tables = simulated(0.0, discordance, seed=4, n=n)
    reach = NormalDist().inv_cdf(1 - 0.05 / 18)
    seen = np.mean([score_statistic(table, -MARGIN) > reach for table in tables])
    assert seen == pytest.approx(power_at(n, discordance, MARGIN, alpha=0.05 / 18), abs=0.05)


def test_graded_cases_promise_no_ruling_that_they_cannot_give() -> None:
    random = np.random.default_rng(0)
    grades = random.uniform(0, 1, 72)
    found = paired_difference(
        list(grades), list(grades[::-1] * 0.02 + grades * 0.98), MARGIN, alpha=0.05 / 18
    )
    assert found.interval.low < -MARGIN
    assert found.power < 0.1
    assert found.n_for_80 > 147


def test_cases_needed_follows_discordance_and_margin() -> None:
    calm, restless = pairs(190, 5, 5, 0), pairs(120, 40, 40, 0)
    assert cases_needed(restless, 0.05) > cases_needed(calm, 0.05)
    # 11/202 discordance; by hand, at the margin a case's difference has variance 0.080452, else 0.054455:
    # (z(0.95) sqrt(0.080452) + z(0.8) sqrt(0.054455)) / 0.05 = 13.26, squared.
    assert cases_needed(calm, 0.05) == 176
    assert cases_needed(calm, 0.025) == 595


def test_no_cases_is_an_error() -> None:
    with pytest.raises(ValueError, match="the same cases"):
        paired_difference([], [], MARGIN)
    with pytest.raises(ValueError, match="the same cases"):
        paired_difference([1.0], [1.0, 0.0], MARGIN)
