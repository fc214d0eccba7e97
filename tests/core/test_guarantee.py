"""The threshold's promise: against scipy on known counts, and kept over many draws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from orchestrator.routing.guarantee import (
    SHARES,
    Outcome,
    fewest_needed,
    guaranteed,
    spent_of,
    tail,
    upper_bound,
)


def draw(n: int, sharpness: float, random: np.random.Generator) -> list[Outcome]:
    """A model whose chance to be right grows with its confidence."""
    confidence = random.beta(4, 1.2, n)
    right = random.random(n) < 1 - (1 - confidence) ** sharpness
    return [Outcome(float(c), bool(r)) for c, r in zip(confidence, right, strict=True)]


@pytest.mark.parametrize(
    ("wrong", "accepted", "rate"), [(0, 59, 0.05), (3, 200, 0.05), (40, 300, 0.2), (7, 7, 0.5)]
)
def test_tails_are_those_of_scipy(wrong: int, accepted: int, rate: float) -> None:
    assert tail(wrong, accepted, rate) == pytest.approx(stats.binom.cdf(wrong, accepted, rate), rel=1e-9)


@pytest.mark.parametrize(("wrong", "accepted"), [(0, 59), (3, 200), (40, 300)])
def test_bounds_are_those_of_scipy(wrong: int, accepted: int) -> None:
    exact = stats.beta.ppf(0.95, wrong + 1, accepted - wrong)
    assert upper_bound(wrong, accepted, 0.05) == pytest.approx(exact, abs=1e-9)


def test_the_share_of_wrong_answers_is_what_was_promised() -> None:
    """Of 400 draws at most 5 % may break it; the true share is known from a large sample."""
    random = np.random.default_rng(0)
    population = draw(200_000, 2.0, random)
    confidence = np.array([outcome.confidence for outcome in population])
    right = np.array([outcome.right for outcome in population])
    broken, covered = 0, []
    for _ in range(400):
        found = guaranteed(draw(600, 2.0, random), max_wrong=0.05)
        accepted = confidence >= found.threshold if found else np.zeros(1, dtype=bool)
        covered.append(accepted.mean())
        broken += bool(found) and bool((~right[accepted]).mean() > 0.05)
    assert broken <= 20
    assert np.mean(covered) > 0.6


def test_too_few_answers_prove_nothing() -> None:
    enough = fewest_needed(0.05)
    assert guaranteed([Outcome(0.9, True)] * (enough - 1), 0.05) is None
    found = guaranteed([Outcome(0.9, True)] * enough, 0.05)
    assert found is not None
    assert (found.coverage, found.wrong) == (1.0, 0)
    assert found.wrong_at_most < 0.05


@pytest.mark.parametrize("outcomes", [[], [Outcome(0.9, False)] * 500], ids=["none", "all wrong"])
def test_what_cannot_be_promised_is_not(outcomes: list[Outcome]) -> None:
    assert guaranteed(outcomes, 0.05) is None


def test_nothing_is_ever_promised_of_no_errors_at_all() -> None:
    assert guaranteed([Outcome(0.9, True)] * 10_000, 0.0) is None


def test_a_looser_promise_accepts_more() -> None:
    outcomes = draw(2000, 1.5, np.random.default_rng(1))
    strict, loose = guaranteed(outcomes, 0.05), guaranteed(outcomes, 0.2)
    assert strict is not None
    assert loose is not None
    assert loose.threshold < strict.threshold
    assert loose.coverage > strict.coverage


def test_a_share_of_calls_goes_to_the_least_sure_answers() -> None:
    outcomes = draw(600, 2.0, np.random.default_rng(1))
    rows = spent_of(outcomes)
    assert [row.share for row in rows] == list(SHARES)
    for row in rows:
        kept = [outcome for outcome in outcomes if outcome.confidence >= row.threshold]
        assert 600 - len(kept) <= row.share * 600
        assert (row.accepted, row.wrong) == (len(kept), sum(not outcome.right for outcome in kept))
    assert rows[0].accepted == 600
    assert [row.wrong for row in rows] == sorted((row.wrong for row in rows), reverse=True)


def test_answers_that_are_all_as_sure_are_all_kept() -> None:
    assert {row.accepted for row in spent_of([Outcome(0.9, True)] * 100)} == {100}
