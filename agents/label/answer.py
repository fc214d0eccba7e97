"""A specialist that was trained for these labels answers where there is one, else a generator.

The list of labels comes first in the prompt: a runtime that keeps what it has read reads it once.

That none fits is a label by name, the last one: told of a bare `null`, no generator ever chose it.
"""

from __future__ import annotations

from typing import Any

from orchestrator.agent import Call, messages_of
from orchestrator.runtimes.base import Classifier
from orchestrator.types import Answer, Json


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    output, confidence = await (_classified if call.offers(Classifier) else _written)(inputs, call)
    least = inputs.get("min_confidence")
    if output["label"] is not None and least is not None and confidence is not None and confidence < least:
        reason = f"{output['label']!r} has {confidence:.2f}, below {least:.2f}"
        return Answer(output={"label": None}, confidence=confidence, reason=reason)
    return Answer(output=output, confidence=confidence)


async def _classified(inputs: dict[str, Any], call: Call) -> tuple[Json, float]:
    shares = await call.classify(inputs["text"])
    label = max(shares, key=lambda name: shares[name])
    return {"label": label}, shares[label]


async def _written(inputs: dict[str, Any], call: Call) -> tuple[Json, float | None]:
    no_label = inputs.get("no_label")
    choices = [*dict.fromkeys(inputs["labels"]), *([no_label] if no_label else [])]
    schema = {
        "type": "object",
        "properties": {"label": {"enum": choices}},
        "required": ["label"],
        "additionalProperties": False,
    }
    output, confidence = await call.generate_json(messages_of(call.spec, inputs), schema)
    if no_label and output["label"] == no_label:
        output = {"label": None}
    return output, confidence
