"""The worst sentence decides: one instruction among many harmless sentences is an injection.

A sentence's score is its mean likeness to the nearest known instructions minus that to the nearest ordinary
sentences, moved to 0 to 1. Long texts cost a vector a sentence; nothing is generated.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from orchestrator.agent import Call
from orchestrator.errors import InvalidInput
from orchestrator.kit.examples import read_examples
from orchestrator.kit.sentences import sentences
from orchestrator.types import Answer


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    text, options = inputs["text"], call.spec.options
    places = sentences(text)
    if not places:
        return Answer(output={"injected": False, "score": 0.0, "start": 0, "end": 0}, reason="no words")
    examples = read_examples(call.find_folder(inputs["folder"]))
    known = np.array([example.label is not None for example in examples])
    if known.all() or not known.any():
        raise InvalidInput("The examples must hold injected sentences and ordinary ones (label null).")
    vectors = await call.embed([example.text for example in examples], keep=True)
    wanted = await call.embed([text[start:end] for start, end in places])
    likeness = wanted @ vectors.T
    nearer = _nearest(likeness[:, known], options["neighbours"]) - _nearest(
        likeness[:, ~known], options["neighbours"]
    )
    worst = int(np.argmax(nearer))
    score = round(float(np.clip((1 + nearer[worst]) / 2, 0.0, 1.0)), 4)
    injected = score >= inputs.get("min_score", options["min_score"])
    start, end = places[worst]
    output = {"injected": injected, "score": score, "start": start, "end": end}
    return Answer(output=output, reason=f"the worst of {len(places)} sentences has {score:.2f}")


def _nearest(likeness: Any, many: int) -> Any:
    """Mean likeness of each sentence to its `many` nearest examples."""
    return np.sort(likeness, axis=1)[:, -many:].mean(axis=1)
