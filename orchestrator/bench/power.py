"""The chance that a paired comparison shows non-inferiority, and how many cases that takes.

For Tango's score test, whose error is taken under the hypothesis that is to be rejected: that the first arm
is worse by exactly the margin. Arms that differ by that much disagree on some cases, so it never falls
under that of margin (1 - margin) a case, and many cases are needed even where two arms have always agreed.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from orchestrator.bench.statistics import Pairs

_NORMAL = NormalDist()


def null_variance(only_first: float, only_second: float, difference: float) -> float:
    """Of one case's difference, if the arms truly differ by `difference` (Tango 1998, equation 2).

    `only_first`, `only_second`: the shares of cases that one arm alone solves.
    """
    b = -only_first - only_second + (2 - only_first + only_second) * difference
    c = -only_second * difference * (1 - difference)
    q = (math.sqrt(max(0.0, b * b - 8 * c)) - b) / 4
    return 2 * q + difference * (1 - difference)


def power_at(
    n: int, discordance: float, margin: float, difference: float = 0.0, alpha: float = 0.05
) -> float:
    """The chance to show non-inferiority with n pairs, if the true difference is `difference`.

    `discordance` is the share of cases that exactly one arm solves, or of graded cases the mean square of
    the difference. None at all: whether it is shown is sure.
    """
    if n == 0:
        return 0.0
    null, true = _spreads(discordance, margin, difference)
    distance = math.sqrt(n) * (margin + difference) - _NORMAL.inv_cdf(1 - alpha) * null
    return _NORMAL.cdf(distance / true) if true else float(distance > 0)


def cases_for(power: float, discordance: float, margin: float, alpha: float = 0.05) -> int:
    """Pairs needed to show non-inferiority with that power if the arms are truly equal."""
    null, true = _spreads(discordance, margin, 0.0)
    reach = _NORMAL.inv_cdf(1 - alpha) * null + _NORMAL.inv_cdf(power) * true
    return math.ceil((reach / margin) ** 2)


def cases_needed(pairs: Pairs, margin: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """Cases to show that the first arm is at most `margin` worse, from the discordance that was observed."""
    return cases_for(power, smoothed_discordance(pairs), margin, alpha)


def smoothed_discordance(pairs: Pairs) -> float:
    """The share of cases that one arm alone solves; half a case more in each cell, so that it is never 0."""
    return (pairs.discordant + 1) / (pairs.n + 2)


def _spreads(discordance: float, margin: float, difference: float) -> tuple[float, float]:
    """Standard deviations of one case's difference: at exactly the margin, and at the true difference."""
    only_first, only_second = (discordance + difference) / 2, (discordance - difference) / 2
    null = null_variance(max(only_first, 0.0), max(only_second, 0.0), -margin)
    return math.sqrt(null), math.sqrt(max(discordance - difference**2, 0.0))
