"""Against published examples and brute force, not against the formulas themselves."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.bench.statistics import (
    Interval,
    Pairs,
    count_pairs,
    paired_difference,
    percentile,
    sign_test,
    wilson,
)

CELLS = st.integers(min_value=0, max_value=40)


def pairs(both: int, only_first: int, only_second: int, neither: int) -> Pairs:
    return Pairs(both=both, only_first=only_first, only_second=only_second, neither=neither)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_published_intervals(successes: int, n: int, low: float, high: float) -> None:
    interval = wilson(successes, n)
    assert interval.low == pytest.approx(low, abs=5e-5)
    assert interval.high == pytest.approx(high, abs=5e-5)


def test_wilson_knows_nothing_without_cases() -> None:
    assert wilson(0, 0) == Interval(low=0.0, high=1.0)


def test_sign_test_counts_the_same_tail_as_enumeration() -> None:
    for wins, losses in [(0, 0), (1, 0), (3, 1), (5, 0), (2, 2), (1, 8)]:
        n = wins + losses
        extreme = min(wins, losses)
        as_far = sum(
            sum(coins) <= extreme or n - sum(coins) <= extreme
            for coins in itertools.product((0, 1), repeat=n)
        )
        assert sign_test(wins, losses) == pytest.approx(as_far / 2**n)


def test_sign_test_needs_six_to_nothing_for_five_percent() -> None:
    assert sign_test(5, 0) > 0.05 > sign_test(6, 0)


def test_paired_difference_gives_the_published_interval() -> None:
    # Newcombe 1998, "Improved confidence intervals ... paired data", first example, method 10.
    interval = paired_difference(pairs(36, 12, 2, 0))
    assert (interval.low, interval.high) == pytest.approx((0.0569, 0.3404), abs=5e-5)


def test_paired_difference_corrects_a_positive_correlation() -> None:
    """Newcombe's continuity correction: 205 instead of 225 in the numerator of phi, by hand for 20/3/5/12."""
    phi = 205 / math.sqrt(23 * 17 * 25 * 15)
    one, two = wilson(23, 40), wilson(25, 40)
    down = (23 / 40 - one.low, two.high - 25 / 40)
    expected = -2 / 40 - math.sqrt(down[0] ** 2 - 2 * phi * down[0] * down[1] + down[1] ** 2)
    assert paired_difference(pairs(20, 3, 5, 12)).low == pytest.approx(expected)


@given(CELLS, CELLS, CELLS, CELLS)
def test_paired_difference_holds_the_difference_and_mirrors(a: int, b: int, c: int, d: int) -> None:
    table = pairs(a, b, c, d)
    interval, mirrored = paired_difference(table), paired_difference(pairs(a, c, b, d))
    difference = (b - c) / table.n if table.n else 0.0
    assert -1.0 <= interval.low <= difference + 1e-12
    assert difference - 1e-12 <= interval.high <= 1.0
    assert (mirrored.low, mirrored.high) == pytest.approx((-interval.high, -interval.low))


def test_paired_difference_covers_the_truth_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    drawn = random.multinomial(20, [0.5, 0.2, 0.1, 0.2], size=2000)
    covered = [paired_difference(pairs(*map(int, row))) for row in drawn]
    share = np.mean([interval.low <= 0.1 <= interval.high for interval in covered])
    assert 0.93 <= share <= 0.985


def test_pairs_are_counted_case_by_case() -> None:
    counted = count_pairs([True, True, False, False, True], [True, False, True, False, True])
    assert counted == pairs(2, 1, 1, 1)
    assert (counted.n, counted.first, counted.second, counted.discordant) == (5, 3, 3, 2)
    with pytest.raises(ValueError, match="shorter"):
        count_pairs([True, True], [True])


@given(st.lists(st.floats(0, 100), min_size=1, max_size=30), st.floats(0, 1))
def test_percentile_agrees_with_numpy(values: list[float], share: float) -> None:
    assert percentile(values, share) == pytest.approx(float(np.quantile(values, share)))


def test_percentile_of_nothing_is_not_known() -> None:
    assert percentile([], 0.5) is None
