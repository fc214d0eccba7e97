"""Promises held to on the other half: kept where confidence tells, and found broken where it lies."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.bench.risk import risk_of, shift_of
from orchestrator.routing.guarantee import Outcome


def answers(n: int, seed: int, *, low: float = 4.0) -> list[Outcome]:
    """Right as often as their confidence says; `low` moves confidences down."""
    random = np.random.default_rng(seed)
    confidence = random.beta(low, 1.0, n)
    return [Outcome(float(c), bool(random.random() < c**0.3)) for c in confidence]


def test_a_promise_is_kept_in_nearly_all_halves() -> None:
    found = risk_of("a", answers(1200, 0), 0.05, splits=200, seed=1)
    assert (found.n, found.splits) == (1200, 200)
    assert found.violated <= 10
    assert found.coverage > 0.5
    assert found.wrong is not None
    assert found.wrong < 0.05


def test_the_same_seed_gives_the_same_halves() -> None:
    assert risk_of("a", answers(300, 0), 0.1, splits=20, seed=1) == risk_of(
        "a", answers(300, 0), 0.1, splits=20, seed=1
    )


def test_where_nothing_can_be_proven_nothing_is_accepted() -> None:
    found = risk_of("a", [Outcome(0.9, n % 2 == 0) for n in range(300)], 0.05, splits=20, seed=1)
    assert (found.unproven, found.coverage, found.violated, found.wrong) == (20, 0.0, 0, None)


@pytest.mark.parametrize(("low", "soon"), [(1.0, 60), (2.0, 200)])
def test_other_work_raises_the_alarm_and_the_same_work_seldom(low: float, soon: int) -> None:
    found = shift_of("other", answers(800, 0), answers(400, 1, low=low), splits=40, seed=1)
    assert found.after is not None
    assert found.after < soon
    assert found.false_alarms <= 2


def test_work_that_is_the_same_raises_none() -> None:
    assert shift_of("same", answers(800, 0), answers(400, 1), splits=40, seed=1).after is None
