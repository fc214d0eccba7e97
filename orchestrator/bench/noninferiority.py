"""Is the first arm at most a margin worse than the second, on the same cases?

The claim under test is one-sided: small models may be a little worse, not more than a *margin* that was
declared before the run. Two questions are asked of the paired difference (first minus second), and each may
be answered yes, no, or not yet:

    non-inferior    is it above -margin?      the lower bound says so
    inferior        is it below -margin?      the upper bound says so

A wide interval holds both sides of -margin and answers neither. Where every case is right or wrong, bounds
and p-values are Tango's score method for paired proportions (Statistics in Medicine 17, 1998, 891-908),
which keeps its error rate where a Wald interval does not: few discordant cases, rates near 0 or 1.

Where cases are graded between 0 and 1, bounds are the wider of a paired bootstrap's and of the same score
method on the first two moments of the difference, which for right and wrong is Tango's to the digit. A
bootstrap alone knows no spread but what it has seen: four draws have none at all, and where 7.5 % of 300
cases lose two thirds, just the margin, it says non-inferior in 7.5 % of simulations instead of 5 %.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import NamedTuple

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
_DRAWN_AT_ONCE = 1_000_000
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


class _Moments(NamedTuple):
    """Of the paired difference: its mean, and what takes the place of the two discordant shares, so that
    their sum is the mean square and their difference the mean.
    """

    n: int
    mean: float
    only_first: float
    only_second: float

    def statistic(self, difference: float) -> float:
        """Standard normal when the true difference is `difference`. Decreasing in it."""
        variance = null_variance(self.only_first, self.only_second, difference)
        distance = self.mean - difference
        if variance <= 0:
            return 0.0 if distance == 0 else math.copysign(math.inf, distance)
        return distance * math.sqrt(self.n / variance)

    def interval(self, alpha: float) -> Interval:
        """The differences that a two-sided test at 2 alpha does not reject."""
        z = _NORMAL.inv_cdf(1 - alpha)
        low = _cross(lambda d: self.statistic(d) - z, -1.0, self.mean)
        high = _cross(lambda d: self.statistic(d) + z, self.mean, 1.0)
        return Interval(low=low, high=high)


def score_statistic(pairs: Pairs, difference: float) -> float:
    """Tango's T."""
    return _moments_of(pairs).statistic(difference)


def score_interval(pairs: Pairs, alpha: float = ALPHA) -> Interval:
    """Tango's interval, two-sided at 1 - 2 alpha."""
    return _moments_of(pairs).interval(alpha)


def _moments_of(pairs: Pairs) -> _Moments:
    first, second = pairs.only_first / pairs.n, pairs.only_second / pairs.n
    return _Moments(pairs.n, first - second, first, second)


def bootstrap_mean(values: Sequence[float], *, resamples: int = BOOTSTRAPS, seed: int = 0) -> Interval:
    """95 % percentile interval of the mean; the same on every machine. Raises ValueError for no values."""
    if not values:
        raise ValueError("no values, no mean")
    low, high = np.quantile(_resampled_means(np.asarray(values), resamples, seed), [0.025, 0.975])
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


def _graded_moments(differences: NDArray[np.float64]) -> _Moments:
    mean, square = float(differences.mean()), float(np.mean(differences**2))
    return _Moments(len(differences), mean, max(square + mean, 0.0) / 2, max(square - mean, 0.0) / 2)


def _graded(
    first: NDArray[np.float64], second: NDArray[np.float64], margin: float, alpha: float, seed: int
) -> Difference:
    differences = first - second
    n, moments = len(differences), _graded_moments(differences)
    means, scored = _resampled_means(differences, BOOTSTRAPS, seed), moments.interval(alpha)
    low, high = np.quantile(means, [alpha, 1 - alpha])
    statistic, spread = moments.statistic(-margin), float(np.mean(differences**2)) + 1 / (n + 2)
    return Difference(
        n=n,
        value=moments.mean,
        margin=margin,
        interval=Interval(low=min(float(low), scored.low), high=max(float(high), scored.high)),
        p_noninferior=max(_share(means <= -margin), 1 - _NORMAL.cdf(statistic)),
        p_inferior=max(_share(means >= -margin), _NORMAL.cdf(statistic)),
        power=power_at(n, spread, margin, alpha=alpha),
        n_for_80=cases_for(0.8, spread, margin, alpha),
    )


def _resampled_means(values: NDArray[np.float64], resamples: int, seed: int) -> NDArray[np.float64]:
    """Drawn in slices: all at once would take 16 bytes for each case of each resample."""
    random, n = np.random.default_rng(seed), len(values)
    rows = max(1, _DRAWN_AT_ONCE // n)
    sizes = [min(rows, resamples - done) for done in range(0, resamples, rows)]
    drawn = [values[random.integers(0, n, size=(size, n))].mean(axis=1) for size in sizes]
    return np.concatenate(drawn)


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
