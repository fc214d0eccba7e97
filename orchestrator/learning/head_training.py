"""S5, the fast way: a last layer on the base as it is. Seconds, no torch, nothing of the base changes.

A logistic regression on the embeddings that the installed model gives, which are those that the specialist
will see when it answers. How strongly it is held back (1 / C) is chosen on the development rows.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from orchestrator.learning.curve import Epoch, Trained
from orchestrator.learning.recipes import Recipe
from orchestrator.learning.tasks import cross_entropy
from orchestrator.store.blocks import Floats

_STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0)
Places = NDArray[np.int64]


def train_head(
    recipe: Recipe, labels: int, train: tuple[Floats, Places], dev: tuple[Floats, Places]
) -> Trained:
    """`train` and `dev`: embeddings of shape (texts, dimensions), and the place of each text's label.

    Epochs of the curve are the values of C that were tried, in order.
    """
    tried = [_fitted(recipe, labels, strength, train) for strength in _STRENGTHS]
    curve = tuple(_judged(number, model, train, dev) for number, model in enumerate(tried, start=1))
    best = max(curve, key=lambda epoch: (epoch.dev_quality, -epoch.dev_loss))
    weight, bias = tried[best.epoch - 1]
    return Trained({"head.weight": weight, "head.bias": bias}, curve, best)


def _fitted(
    recipe: Recipe, labels: int, strength: float, train: tuple[Floats, Places]
) -> tuple[Floats, Floats]:
    """(labels, dimensions) and (labels,). A label without an example never wins."""
    from sklearn.linear_model import LogisticRegression

    vectors, places = train
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it may go on converging, which the development rows judge
        model = LogisticRegression(C=strength, max_iter=300, random_state=recipe.seed).fit(vectors, places)
    seen = model.classes_
    weight = np.zeros((labels, vectors.shape[1]), dtype=np.float32)
    bias = np.full(labels, -1e4, dtype=np.float32)
    if len(seen) == 2:  # one row stands for both
        weight[seen] = np.concatenate([-model.coef_, model.coef_]) / 2
        bias[seen] = np.array([-1, 1]) * model.intercept_[0] / 2
    else:
        weight[seen], bias[seen] = model.coef_, model.intercept_
    return weight, bias


def _judged(
    number: int,
    model: tuple[Floats, Floats],
    train: tuple[Floats, Places],
    dev: tuple[Floats, Places],
) -> Epoch:
    loss, _ = _measured(model, *train)
    dev_loss, quality = _measured(model, *dev)
    return Epoch(epoch=number, loss=loss, dev_quality=quality, dev_loss=dev_loss)


def _measured(model: tuple[Floats, Floats], vectors: Floats, places: Places) -> tuple[float, float]:
    """Mean cross entropy, in nats, and accuracy."""
    scores = vectors @ model[0].T + model[1]
    return cross_entropy(scores, places), float((scores.argmax(axis=1) == places).mean())
