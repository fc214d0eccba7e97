"""The same prompt as call-tool, but the model writes what it likes; the first JSON object in it counts.

A code fence or a sentence around the JSON is forgiven, because every user would forgive it.
"""

from __future__ import annotations

import json
from typing import Any

from orchestrator.agent import Call, messages_of
from orchestrator.errors import ModelError
from orchestrator.kit.toolschema import describe, parameters_of
from orchestrator.types import Answer


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    tool = inputs["tool"]
    arguments = describe(parameters_of(tool))
    shown = {**inputs, "tool": {"description": "", **tool}, "arguments": arguments}
    reply = await call.generate(messages_of(call.spec, shown))
    return Answer(output={"name": tool["name"], "arguments": _first_object(reply.text)})


def _first_object(text: str) -> dict[str, Any]:
    start = text.find("{")
    try:
        value, _ = json.JSONDecoder().raw_decode(text[max(start, 0) :])
    except json.JSONDecodeError as error:
        raise ModelError(f"the answer holds no JSON object: {error}: {text[:200]!r}") from None
    if not isinstance(value, dict):
        raise ModelError(f"the answer holds no JSON object: {text[:200]!r}")
    return value
