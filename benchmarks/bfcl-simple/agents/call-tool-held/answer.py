"""The prompt of call-tool with its output held to the tool's schema; not settled, checked or tried again."""

from __future__ import annotations

from typing import Any

from orchestrator.agent import Call, messages_of
from orchestrator.kit.toolschema import describe, parameters_of
from orchestrator.types import Answer


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    tool = inputs["tool"]
    schema = parameters_of(tool)
    shown = {**inputs, "tool": {"description": "", **tool}, "arguments": describe(schema)}
    arguments, confidence = await call.generate_json(messages_of(call.spec, shown), schema)
    return Answer(output={"name": tool["name"], "arguments": arguments}, confidence=confidence)
