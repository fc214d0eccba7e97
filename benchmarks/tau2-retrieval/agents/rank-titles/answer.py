"""Numbers instead of names: five of them are ten tokens."""

from __future__ import annotations

from typing import Any

from orchestrator.agent import Call, messages_of
from orchestrator.types import Answer


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    files = inputs["files"]
    numbers = list(range(1, len(files) + 1))
    first = min(call.spec.options["first"], len(files))
    best = {"type": "array", "minItems": first, "maxItems": first, "items": {"enum": numbers}}
    schema = {
        "type": "object",
        "properties": {"best": best},
        "required": ["best"],
        "additionalProperties": False,
    }
    lines = zip(numbers, inputs["starts"], strict=True)
    listing = "\n".join(f"{number}. {start}" for number, start in lines)
    text = inputs["text"][: call.spec.options["text_characters"]]
    messages = messages_of(call.spec, {**inputs, "text": text, "listing": listing})
    written, confidence = await call.generate_json(messages, schema)
    order = dict.fromkeys([*written["best"], *numbers])
    return Answer(output={"files": [files[number - 1] for number in order]}, confidence=confidence)
