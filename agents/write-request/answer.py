"""Arguments first: a message that is written after them can hold their values."""

from __future__ import annotations

from typing import Any

from orchestrator.agent import Call, messages_of
from orchestrator.kit.toolschema import describe, parameters_of
from orchestrator.types import Answer

_LONGEST = 400


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    tool = inputs["tool"]
    schema = parameters_of(tool)
    shown = {**inputs, "tool": {"description": "", **tool}, "arguments": describe(schema)}
    wanted = {
        "type": "object",
        "properties": {
            "arguments": schema,
            "message": {"type": "string", "minLength": 10, "maxLength": _LONGEST},
        },
        "required": ["arguments", "message"],
        "additionalProperties": False,
    }
    written, confidence = await call.generate_json(messages_of(call.spec, shown), wanted)
    output = {"text": written["message"], "arguments": written["arguments"]}
    return Answer(output=output, confidence=confidence)
