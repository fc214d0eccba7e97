"""The list of labels comes first in the prompt: a runtime that keeps what it has read reads it once."""

from __future__ import annotations

from typing import Any

from orchestrator.agent import Call, messages_of
from orchestrator.types import Answer


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    choices = [*dict.fromkeys(inputs["labels"]), *([None] if inputs.get("no_label") else [])]
    schema = {
        "type": "object",
        "properties": {"label": {"enum": choices}},
        "required": ["label"],
        "additionalProperties": False,
    }
    output, confidence = await call.generate_json(messages_of(call.spec, inputs), schema)
    return Answer(output=output, confidence=confidence)
