"""The message first: arguments that are written after it can be copied from it.

Asked twice for the same, a greedy model invents the same. So it draws, and `number` decides what.
"""

from __future__ import annotations

from typing import Any

from orchestrator.agent import Call, messages_of
from orchestrator.kit.toolschema import describe, parameters_of
from orchestrator.types import Answer

_LONGEST = 400
_TEMPERATURE = 0.8


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    tool = inputs["tool"]
    schema = parameters_of(tool)
    shown = {**inputs, "tool": {"description": "", **tool}, "arguments": describe(schema)}
    wanted = {
        "type": "object",
        "properties": {
            "message": {"type": "string", "minLength": 10, "maxLength": _LONGEST},
            "arguments": schema,
        },
        "required": ["message", "arguments"],
        "additionalProperties": False,
    }
    written, confidence = await call.generate_json(
        messages_of(call.spec, shown), wanted, temperature=_TEMPERATURE, seed=inputs.get("number", 0)
    )
    output = {"text": written["message"], "arguments": written["arguments"]}
    return Answer(output=output, confidence=confidence)
