"""How good answers are, in the figures that are usual for their kind; shown beside a gate's decision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestrator.kit.spans import span_scores, spans_in
from orchestrator.learning.examples import Example
from orchestrator.types import Learns


def figures_of(learns: Learns, answers: Sequence[Any], tested: Sequence[Example]) -> dict[str, float]:
    """In [0, 1], by name; none for answers that are anything. What is no answer is wrong.

    Labels and choices: accuracy on rows that have one, and where some have none: the share of these that were
    told so, and of the others. Parts of a text: F1, precision, recall, and how often all of a text is right.
    """
    golds = [example.answer for example in tested]
    if learns.kind in ("label", "choice"):
        return _labels(answers, golds)
    if learns.kind == "spans":
        found = [answer if isinstance(answer, list) else () for answer in answers]
        return span_scores((spans_in(gold), spans_in(own)) for gold, own in zip(golds, found, strict=True))
    return {}


def _labels(answers: Sequence[Any], golds: Sequence[Any]) -> dict[str, float]:
    pairs = list(zip(answers, golds, strict=True))
    with_label = [(answer, gold) for answer, gold in pairs if gold is not None]
    without = [answer for answer, gold in pairs if gold is None]
    found = {}
    if with_label:
        found["accuracy"] = _share(answer == gold for answer, gold in with_label)
    if without:
        found["none_recall"] = _share(answer is None for answer in without)
        found["none_false"] = _share(answer is None for answer, _ in with_label)
    return found


def _share(held: Any) -> float:
    every = list(held)
    return sum(every) / len(every) if every else 0.0
