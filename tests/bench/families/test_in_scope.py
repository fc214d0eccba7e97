"""How CLINC150's messages are counted where none may be sent away."""

from __future__ import annotations

import numpy as np
import pytest

from tests.bench.families.helpers import module

LABELS = ("pay", None, "move")
COUNTED = module("benchmarks/whole-splits/in_scope.py")


def test_what_was_sent_away_counts_by_its_likeliest_intent() -> None:
    probabilities = np.array(
        [
            [0.7, 0.2, 0.1],  # right
            [0.3, 0.6, 0.1],  # right, and sent away
            [0.1, 0.2, 0.7],  # wrong
            [0.1, 0.8, 0.1],  # fits none, found
            [0.6, 0.3, 0.1],  # fits none, missed
        ],
        dtype=np.float32,
    )
    found = COUNTED.figures(probabilities, LABELS, ["pay", "pay", "pay", None, None])
    assert (found["n_in_scope"], found["n_out_of_scope"]) == (3, 2)
    assert found["in_scope_accuracy"] == pytest.approx(2 / 3, abs=1e-4)
    assert found["as_drawn_before"] == {
        "lost": pytest.approx(1 / 3, abs=1e-4),
        "recall": 0.5,
        "right_and_kept": pytest.approx(1 / 3, abs=1e-4),
    }


def test_recall_is_read_where_so_many_may_be_lost() -> None:
    random = np.random.default_rng(0)
    lead = np.concatenate([random.normal(3, 1, 4000), random.normal(-3, 1, 1000)])
    named = 1 / (1 + np.exp(-lead))
    probabilities = np.stack([named, 1 - named, np.zeros_like(named)], axis=1).astype(np.float32)
    found = COUNTED.figures(probabilities, LABELS, ["pay"] * 4000 + [None] * 1000)
    # Of N(3, 1) 1 % lies below 0.674; of N(-3, 1) all but 0.012 % does. Both kinds are told apart.
    assert found["1% lost"]["recall"] > 0.99
    assert found["1% lost"]["lost"] == pytest.approx(0.01, abs=1e-3)
    assert found["1% lost"]["right_and_kept"] == pytest.approx(0.99, abs=1e-3)
    assert found["as_drawn_before"]["lost"] < 0.01
    assert found["in_scope_accuracy"] == 1.0
