"""The few exact methods that a paired comparison of two arms needs, in the standard library alone.

Two arms answer the same cases, so the unit is the *pair*. Of four cells (both right, only A, only B,
neither) only the two discordant ones tell the arms apart: under "no difference" each discordant case is a
fair coin, which gives McNemar's exact test. Intervals are Wilson's (one arm) and Newcombe's (the paired
difference): both keep their coverage at n = 20, where the textbook normal interval does not.

Margins and bootstraps are in `noninferiority.py`, power in `power.py`, rulings in `verdict.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

from orchestrator.types import Record

Z_95 = NormalDist().inv_cdf(0.975)


class Interval(Record):
    low: float
    high: float

    @property
    def width(self) -> float:
        return self.high - self.low


class Pairs(Record):
    """How many cases both arms solved, only the first, only the second, and neither."""

    both: int
    only_first: int
    only_second: int
    neither: int

    @property
    def n(self) -> int:
        return self.both + self.only_first + self.only_second + self.neither

    @property
    def first(self) -> int:
        return self.both + self.only_first

    @property
    def second(self) -> int:
        return self.both + self.only_second

    @property
    def discordant(self) -> int:
        return self.only_first + self.only_second


def count_pairs(first: Sequence[bool], second: Sequence[bool]) -> Pairs:
    """Outcomes of the same cases in the same order."""
    cells = list(zip(first, second, strict=True))
    return Pairs(
        both=cells.count((True, True)),
        only_first=cells.count((True, False)),
        only_second=cells.count((False, True)),
        neither=cells.count((False, False)),
    )


def wilson(successes: int, n: int, z: float = Z_95) -> Interval:
    """Score interval of a proportion (Wilson 1927). For n = 0 nothing is known: [0, 1]."""
    if n == 0:
        return Interval(low=0.0, high=1.0)
    p = successes / n
    centre = p + z * z / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return Interval(low=max(0.0, (centre - half) / scale), high=min(1.0, (centre + half) / scale))


def sign_test(wins: int, losses: int) -> float:
    """Two-sided exact p of `wins` against `losses` under a fair coin; ties are left out by the caller.

    With the discordant cells of a paired comparison this is McNemar's exact test.
    """
    n = wins + losses
    ways = sum(math.comb(n, k) for k in range(min(wins, losses) + 1))
    return float(min(1.0, ways / 2 ** (n - 1)))


def paired_difference(pairs: Pairs, z: float = Z_95) -> Interval:
    """95 % interval of (first - second) in success rate: Newcombe 1998, method 10.

    Each arm's Wilson interval is combined with the correlation phi between the arms.
    """
    if pairs.n == 0:
        return Interval(low=-1.0, high=1.0)
    p1, p2 = pairs.first / pairs.n, pairs.second / pairs.n
    one, two = wilson(pairs.first, pairs.n, z), wilson(pairs.second, pairs.n, z)
    phi = _phi(pairs)
    down = _combine(p1 - one.low, two.high - p2, phi)
    up = _combine(p2 - two.low, one.high - p1, phi)
    return Interval(low=max(-1.0, p1 - p2 - down), high=min(1.0, p1 - p2 + up))


def percentile(values: Sequence[float], share: float) -> float | None:
    """Linear interpolation between order statistics (numpy's default); None for no values."""
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def _combine(left: float, right: float, phi: float) -> float:
    return math.sqrt(max(0.0, left * left - 2 * phi * left * right + right * right))


def _phi(pairs: Pairs) -> float:
    """Correlation of the two arms' outcomes, with Newcombe's continuity correction when it is positive."""
    a, b, c, d = pairs.both, pairs.only_first, pairs.only_second, pairs.neither
    product = (a + b) * (c + d) * (a + c) * (b + d)
    if product == 0:
        return 0.0
    cross = a * d - b * c
    if cross > 0:
        cross = max(cross - pairs.n / 2, 0.0)  # type: ignore[assignment]
    return cross / math.sqrt(product)
