"""Nearest neighbours among labelled examples; the nearest is in the answer, so that a person can check it.

Abstaining wants one number, so the share of the votes is scaled by the best similarity: ten neighbours that
agree but are all far away are no evidence.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from orchestrator.agent import Call
from orchestrator.kit.examples import read_examples
from orchestrator.types import Answer


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    examples, options = read_examples(call.find_folder(inputs["folder"])), call.spec.options
    vectors = await call.embed([example.text for example in examples], keep=True)
    (wanted,) = await call.embed([inputs["text"]])
    similarities = vectors @ wanted
    near = np.argsort(-similarities, kind="stable")[: options["neighbours"]]
    votes: dict[str | None, float] = defaultdict(float)
    for place in near:
        votes[examples[place].label] += float(
            np.exp((similarities[place] - similarities[near[0]]) / options["temperature"])
        )
    label = max(votes, key=lambda name: votes[name])
    best = float(np.clip(similarities[near[0]], 0.0, 1.0))
    confidence = round(votes[label] / sum(votes.values()) * best, 4)
    nearest = examples[near[0]].text
    least = inputs.get("min_confidence")
    if label is not None and least is not None and confidence < least:
        output = {"label": None, "confidence": confidence, "nearest": nearest}
        return Answer(
            output=output, abstained=True, reason=f"{label!r} has {confidence:.2f}, below {least:.2f}"
        )
    output = {"label": label, "confidence": confidence, "nearest": nearest}
    return Answer(output=output, confidence=confidence, abstained=label is None, reason=f"near {nearest!r}")
