"""Show the fields as one short line each: a JSON schema costs a small model three times the tokens."""

from __future__ import annotations

from typing import Any

from orchestrator.agent import Call, messages_of
from orchestrator.kit.toolschema import describe
from orchestrator.types import Answer


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    schema = inputs["schema"]
    messages = messages_of(call.spec, {**inputs, "fields": describe(schema)})
    output, confidence = await call.generate_json(messages, schema)
    return Answer(output=output, confidence=confidence)
