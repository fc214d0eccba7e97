"""Is the first arm at most a margin worse than the second, on the same cases?

The claim under test is one-sided: small models may be a little worse, not more than a *margin* that was
declared before the run. Two questions are asked of the paired difference (first minus second), and each may
be answered yes, no, or not yet:

    non-inferior    is it above -margin?      the lower bound says so
    inferior        is it below -margin?      the upper bound says so

A wide interval holds both sides of -margin and answers neither. Where every case is right or wrong, bounds
and p-values are Tango's score method for paired proportions (Statistics in Medicine 17, 1998, 891-908),
which keeps its error rate where a Wald interval does not: few discordant cases, rates near 0 or 1. Where
cases are graded between 0 and 1, they come from a paired bootstrap, and are never finer than Tango's for as
many cases without one disagreement: four cases that end in four draws bootstrap to no spread at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from orchestrator.bench.power import (
    cases_for,
    cases_needed,
    null_variance,
    power_at,
    smoothed_discordance,
)
from orchestrator.bench.statistics import Interval, Pairs, count_pairs
from orchestrator.types import Record

ALPHA = 0.05
BOOTSTRAPS = 10_000
_NORMAL = NormalDist()


class Difference(Record):
    """First minus second, in success rate or mean score, with both one-sided answers.

    `interval` is two-sided at 1 - 2 alpha, so that each of its ends is a one-sided bound at alpha.
    """

    n: int
    value: float
    margin: float
    interval: Interval
    p_noninferior: float
    p_inferior: float
    power: float
    n_for_80: int


def paired_difference(
    first: Sequence[float], second: Sequence[float], margin: float, *, alpha: float = ALPHA, seed: int = 0
) -> Difference:
    """Scores of the same cases in the same order, each in [0, 1]. Raises ValueError for no cases."""
    if not first or len(first) != len(second):
        raise ValueError("a paired difference needs the same cases, at least one, in both arms")
    if {*first, *second} <= {0.0, 1.0}:
        return _binary(count_pairs([*map(bool, first)], [*map(bool, second)]), margin, alpha)
    return _graded(np.array(first), np.array(second), margin, alpha, seed)


def score_statistic(pairs: Pairs, difference: float) -> float:
    """Tango's T: standard normal when the true difference is `difference`. Decreasing in it."""
    n, only_first, only_second = pairs.n, pairs.only_first, pairs.only_second
    variance = n * null_variance(only_first / n, only_second / n, difference)
    distance = only_first - only_second - n * difference
    if variance <= 0:
        return 0.0 if distance == 0 else math.copysign(math.inf, distance)
    return distance / math.sqrt(variance)


def score_interval(pairs: Pairs, alpha: float = ALPHA) -> Interval:
    """The differences that a two-sided test at 2 alpha does not reject."""
    z = _NORMAL.inv_cdf(1 - alpha)
    estimate = (pairs.only_first - pairs.only_second) / pairs.n
    low = _cross(lambda d: score_statistic(pairs, d) - z, -1.0, estimate)
    high = _cross(lambda d: score_statistic(pairs, d) + z, estimate, 1.0)
    return Interval(low=low, high=high)


def bootstrap_mean(values: Sequence[float], *, resamples: int = BOOTSTRAPS, seed: int = 0) -> Interval:
    """95 % percentile interval of the mean; the same on every machine. Raises ValueError for no values."""
    if not values:
        raise ValueError("no values, no mean")
    drawn = np.random.default_rng(seed).integers(0, len(values), size=(resamples, len(values)))
    low, high = np.quantile(np.asarray(values)[drawn].mean(axis=1), [0.025, 0.975])
    return Interval(low=float(low), high=float(high))


def alpha_of(families: int) -> float:
    """The level at which each of so many families is tested, so that the chance of any error stays ALPHA.

    Bonferroni's: unlike step-down methods it does not let a ruling depend on which families have finished.
    """
    return ALPHA / families


def _binary(pairs: Pairs, margin: float, alpha: float) -> Difference:
    statistic = score_statistic(pairs, -margin)
    return Difference(
        n=pairs.n,
        value=(pairs.only_first - pairs.only_second) / pairs.n,
        margin=margin,
        interval=score_interval(pairs, alpha),
        p_noninferior=1 - _NORMAL.cdf(statistic),
        p_inferior=_NORMAL.cdf(statistic),
        power=power_at(pairs.n, smoothed_discordance(pairs), margin, alpha=alpha),
        n_for_80=cases_needed(pairs, margin, alpha=alpha),
    )


def _graded(
    first: NDArray[np.float64], second: NDArray[np.float64], margin: float, alpha: float, seed: int
) -> Difference:
    differences = first - second
    n = len(differences)
    drawn = np.random.default_rng(seed).integers(0, n, size=(BOOTSTRAPS, n))
    means = differences[drawn].mean(axis=1)
    low, high = np.quantile(means, [alpha, 1 - alpha])
    value, spread = float(differences.mean()), float(np.mean(differences**2)) + 1 / (n + 2)
    draws = Pairs(both=n, only_first=0, only_second=0, neither=0)
    finest, statistic = score_interval(draws, alpha), score_statistic(draws, _within(-margin - value))
    return Difference(
        n=n,
        value=value,
        margin=margin,
        interval=Interval(
            low=_within(min(float(low), value + finest.low)),
            high=_within(max(float(high), value + finest.high)),
        ),
        p_noninferior=max(_share(means <= -margin), 1 - _NORMAL.cdf(statistic)),
        p_inferior=max(_share(means >= -margin), _NORMAL.cdf(statistic)),
        power=power_at(n, spread, margin, alpha=alpha),
        n_for_80=cases_for(0.8, spread, margin, alpha),
    )


def _within(difference: float) -> float:
    return max(-1.0, min(1.0, difference))


def _share(found: NDArray[np.bool_]) -> float:
    """One more is counted, so that a bootstrap never gives a p of 0."""
    return float((np.count_nonzero(found) + 1) / (BOOTSTRAPS + 1))


def _cross(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a decreasing function crosses 0, by bisection to 1e-9; an end where it does not."""
    if function(low) <= 0:
        return low
    if function(high) >= 0:
        return high
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) > 0 else (low, middle)
    return (low + high) / 2
