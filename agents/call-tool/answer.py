"""Ask for the arguments only: the name is known, and every token that is not decoded is time saved."""

from __future__ import annotations

from typing import Any

from orchestrator.agent import Call, messages_of
from orchestrator.kit.toolschema import describe, parameters_of
from orchestrator.types import Answer


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    tool = inputs["tool"]
    schema = parameters_of(tool)
    if not schema["properties"]:
        return Answer(output={"name": tool["name"], "arguments": {}}, reason="the tool takes no arguments")
    shown = {**inputs, "tool": {"description": "", **tool}, "arguments": describe(schema)}
    messages = messages_of(call.spec, shown)
    arguments, confidence = await call.generate_json(messages, schema)
    return Answer(output={"name": tool["name"], "arguments": arguments}, confidence=confidence)
