"""The fast head: what it learns, and that probabilities say what they mean."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from orchestrator.learning.head_training import train_head
from orchestrator.learning.recipes import Recipe
from orchestrator.learning.tasks import best_temperature, cross_entropy

RECIPE = Recipe(name="h", description="For tests.", method="head", base="tiny")


def clouds(n: int, labels: int, spread: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors around one centre a label, and the label's place."""
    centres = np.random.default_rng(99).normal(size=(labels, 16))
    random = np.random.default_rng(seed)
    places = random.integers(0, labels, n)
    vectors = centres[places] + spread * random.normal(size=(n, 16))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), places


@pytest.mark.parametrize("labels", [2, 3, 12])
def test_it_sorts_what_can_be_sorted(labels: int) -> None:
    trained = train_head(RECIPE, labels, clouds(400, labels, 0.5), clouds(100, labels, 0.5, seed=1))
    assert trained.best.dev_quality > 0.95
    assert trained.tensors["head.weight"].shape == (labels, 16)


@pytest.mark.parametrize("labels", [2, 3])
def test_its_scores_are_those_of_the_library(labels: int) -> None:
    train, dev = clouds(200, labels, 1.5), clouds(50, labels, 1.5, seed=1)
    trained = train_head(RECIPE, labels, train, dev)
    strength = (1.0, 3.0, 10.0, 30.0, 100.0)[trained.best.epoch - 1]
    model = LogisticRegression(C=strength, max_iter=300, random_state=RECIPE.seed).fit(*train)
    scores = dev[0] @ trained.tensors["head.weight"].T + trained.tensors["head.bias"]
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    assert raised / raised.sum(axis=1, keepdims=True) == pytest.approx(model.predict_proba(dev[0]), abs=1e-4)


def test_a_label_without_an_example_never_wins() -> None:
    vectors, places = clouds(300, 3, 0.5)
    trained = train_head(RECIPE, 5, (vectors, places), (vectors, places))
    scores = vectors @ trained.tensors["head.weight"].T + trained.tensors["head.bias"]
    assert set(scores.argmax(axis=1)) == {0, 1, 2}


def test_the_best_temperature_undoes_too_much_sureness() -> None:
    random = np.random.default_rng(0)
    honest = random.normal(size=(4000, 6)).astype(np.float32) * 2
    shares = np.exp(honest) / np.exp(honest).sum(axis=1, keepdims=True)
    places = np.array([random.choice(6, p=share / share.sum()) for share in shares.astype(np.float64)])
    assert best_temperature(honest * 3, places) == pytest.approx(3.0, rel=0.1)
    assert best_temperature(honest, places) == pytest.approx(1.0, rel=0.1)


def test_cross_entropy_is_that_of_equal_chances() -> None:
    assert cross_entropy(np.zeros((5, 8), dtype=np.float32), np.arange(5)) == pytest.approx(np.log(8))
