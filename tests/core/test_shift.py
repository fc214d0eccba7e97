"""A shift in confidences is noticed soon, and none is seen where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.routing.shift import BINS, baseline_of, first_alarm

KNOWN = (4.0, 1.2)


def stream(shape: tuple[float, float], n: int, random: np.random.Generator) -> list[float]:
    found: list[float] = random.beta(*shape, n).tolist()
    return found


@pytest.mark.parametrize(
    "shape", [(4, 2), (2, 1.2), (2, 2), (8, 1.2)], ids=["less sure", "wider", "even", "surer"]
)
@pytest.mark.parametrize("n", [200, 2000])
def test_a_shift_is_noticed_within_200_answers(shape: tuple[float, float], n: int) -> None:
    for seed in range(20):
        random = np.random.default_rng(seed)
        baseline = baseline_of(stream(KNOWN, n, random))
        alarm = first_alarm(baseline, [*stream(KNOWN, 300, random), *stream(shape, 200, random)])
        assert alarm is not None, seed
        assert alarm.after > 300, "an alarm before anything had changed"


def test_without_a_shift_alarms_are_rare() -> None:
    """40 streams of 3,000 answers; one alarm in 100,000 would be one in a stream of these."""
    alarms = 0
    for seed in range(40):
        random = np.random.default_rng(seed)
        baseline = baseline_of(stream(KNOWN, 500, random))
        alarms += first_alarm(baseline, stream(KNOWN, 3000, random)) is not None
    assert alarms <= 2


def test_confidences_that_are_all_the_same_have_one_bin_or_two() -> None:
    baseline = baseline_of([0.9] * 50)
    assert sum(baseline.counts) == 50
    assert first_alarm(baseline, [0.9] * 5000) is None
    assert first_alarm(baseline, [0.1] * 200) is not None


def test_bins_hold_equal_shares() -> None:
    baseline = baseline_of([number / 800 for number in range(800)])
    assert baseline.counts == (100,) * BINS


def test_nothing_has_no_baseline() -> None:
    with pytest.raises(ValueError, match="no confidences"):
        baseline_of([])
