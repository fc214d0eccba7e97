"""A confidence threshold whose accepted answers are wrong at most so often, with a finite-sample guarantee.

Answers of a cheap model come with a confidence, and only those at or above a threshold are accepted. Which
threshold keeps the share of wrong ones among them at or below `max_wrong`? One threshold is tested exactly:
of m accepted answers of which a share r is wrong, Binomial(m, r) are, so k wrong ones disprove "r is above
max_wrong" when P(Binomial(m, max_wrong) <= k) <= delta. But who tries forty thresholds and keeps the best
finds the lucky one. So they are tested in an order that does not depend on what was right:

    thresholds at even shares of the confidences, from strict to loose; several starts, each with its part
    of delta; from each start on, for as long as every test succeeds

This is fixed-sequence testing with several starts (Angelopoulos et al., "Learn then Test", arXiv 2110.01052).
A single start would be lost where the strictest thresholds accept too few answers to prove anything, and a
test of each at a share of delta proves less (simulated, n = 600: accepts 0.60 of all instead of 0.69).
No distribution is assumed but that these answers are drawn like those to come; `shift.py` is to notice when
they no longer are.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

from orchestrator.types import Guarantee, Spent

SHARES = (0.0, 0.01, 0.02, 0.03, *(step / 20 for step in range(1, 20)))
_STEPS, _STARTS = 40, 4


class Outcome(NamedTuple):
    """One answer: how sure the model was, in [0, 1], and whether it was right."""

    confidence: float
    right: bool


def guaranteed(outcomes: Sequence[Outcome], max_wrong: float, delta: float = 0.05) -> Guarantee | None:
    """The lowest threshold that is proven; None where there is none, as with fewer than `fewest_needed`."""
    strict_first = _thresholds(outcomes)
    proven: list[float] = []
    for start in range(_STARTS):
        from_here = strict_first[(2 * start + 1) * len(strict_first) // (2 * _STARTS) :]
        passes = lambda at: tail(*_counts(outcomes, at), max_wrong) <= delta / _STARTS  # noqa: E731
        proven += itertools.takewhile(passes, from_here)
    if not proven:
        return None
    threshold = min(proven)
    wrong, accepted = _counts(outcomes, threshold)
    return Guarantee(
        threshold=threshold,
        max_wrong=max_wrong,
        delta=delta,
        n=len(outcomes),
        accepted=accepted,
        wrong=wrong,
        wrong_at_most=upper_bound(wrong, accepted, delta),
    )


def spent_of(outcomes: Sequence[Outcome], shares: Sequence[float] = SHARES) -> tuple[Spent, ...]:
    """What is left among the accepted when the reference gets so many of the least sure ones."""
    lowest_first = sorted(outcome.confidence for outcome in outcomes)
    return tuple(_spent(outcomes, share, lowest_first[int(share * len(lowest_first))]) for share in shares)


def _spent(outcomes: Sequence[Outcome], share: float, threshold: float) -> Spent:
    wrong, accepted = _counts(outcomes, threshold)
    return Spent(
        share=share,
        threshold=threshold,
        accepted=accepted,
        wrong=wrong,
        wrong_at_most=upper_bound(wrong, accepted, 0.05),
    )


def fewest_needed(max_wrong: float, delta: float = 0.05) -> int:
    """How many accepted answers, all of them right, prove anything at all."""
    return math.ceil(math.log(delta / _STARTS) / math.log1p(-max_wrong))


def tail(wrong: int, accepted: int, rate: float) -> float:
    """P(Binomial(accepted, rate) <= wrong): how likely so few wrong ones are where the true rate is that."""
    if accepted == 0 or rate <= 0.0:
        return 1.0
    logs = (
        math.lgamma(accepted + 1)
        - math.lgamma(k + 1)
        - math.lgamma(accepted - k + 1)
        + k * math.log(rate)
        + (accepted - k) * math.log1p(-rate)
        for k in range(wrong + 1)
    )
    return min(1.0, math.fsum(map(math.exp, logs)))


def upper_bound(wrong: int, accepted: int, delta: float) -> float:
    """The largest rate that these counts do not disprove at `delta`."""
    if wrong >= accepted:
        return 1.0
    low, high = wrong / accepted, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if tail(wrong, accepted, middle) > delta else (low, middle)
    return high


def _thresholds(outcomes: Sequence[Outcome]) -> list[float]:
    """Confidences above which even shares of the answers lie, the strictest first; each once."""
    confidences = sorted((outcome.confidence for outcome in outcomes), reverse=True)
    places = (len(confidences) * step // _STEPS - 1 for step in range(1, _STEPS + 1))
    return list(dict.fromkeys(confidences[place] for place in places if place >= 0))


def _counts(outcomes: Sequence[Outcome], threshold: float) -> tuple[int, int]:
    """Wrong among the accepted, and accepted."""
    rights = [outcome.right for outcome in outcomes if outcome.confidence >= threshold]
    return rights.count(False), len(rights)
