"""Nearest examples. A label is as near as the mean of its nearest examples, softened over all labels.

Two reasons to abstain: nothing is near (the best similarity is too low), or two labels are about as near
(the best confidence is too low). The encoder has seen English only. It still matches Dutch words with the
same Dutch words, so a Dutch message is sorted as well as its label's Dutch *examples* cover its words; a
label with English examples alone will often abstain on Dutch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.agent import Call
from orchestrator.types import Answer


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    options, labels = call.spec.options, inputs["labels"]
    similarities = await _similarities(inputs["text"], labels, call, options["neighbours"])
    confidences = soften(similarities, options["temperature"])
    order = np.argsort(-similarities, kind="stable")
    scores = [
        {
            "label": labels[place]["name"],
            "similarity": round(float(similarities[place]), 4),
            "confidence": round(float(confidences[place]), 4),
        }
        for place in order[:3]
    ]
    given = inputs.get("min_confidence")
    problem = _too_weak(scores[0], options["min_confidence"] if given is None else given, options)
    if problem:
        output = {"label": None, "scores": scores, "reason": problem}
        return Answer(output=output, abstained=True, confidence=1 - scores[0]["confidence"], reason=problem)
    reason = f"nearest to the examples of {scores[0]['label']!r}"
    output = {"label": scores[0]["label"], "scores": scores, "reason": reason}
    return Answer(output=output, confidence=scores[0]["confidence"], reason=reason)


def soften(similarities: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """Shares that sum to 1; a lower temperature gives the best label more."""
    raised = np.exp((similarities - similarities.max()) / temperature)
    made: NDArray[np.float64] = raised / raised.sum()
    return made


def label_texts(label: dict[str, Any]) -> list[str]:
    """What stands for a label: its name with its description, and each example."""
    described = ": ".join(part for part in (label["name"], label.get("description")) if part)
    return [described, *(label.get("examples") or [])]


async def _similarities(
    text: str, labels: list[dict[str, Any]], call: Call, neighbours: int
) -> NDArray[np.float64]:
    texts = [label_texts(label) for label in labels]
    vectors = await call.embed([item for group in texts for item in group], keep=True)
    (wanted,) = await call.embed([text])
    cosines = np.split(vectors @ wanted, np.cumsum([len(group) for group in texts])[:-1])
    return np.array([np.sort(group)[-neighbours:].mean() for group in cosines], dtype=np.float64)


def _too_weak(best: dict[str, Any], min_confidence: float, options: dict[str, Any]) -> str | None:
    if best["similarity"] < options["min_similarity"]:
        return f"nothing is near: {best['label']!r} with similarity {best['similarity']:.2f}"
    if best["confidence"] < min_confidence:
        return f"{best['label']!r} has {best['confidence']:.2f} of the votes, below {min_confidence:.2f}"
    return None
